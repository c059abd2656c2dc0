"""Laws of every task: what the loss, the quality and the other functions must do whatever the labels mean."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from corrigible.data.dataset import TensorData, as_dataset, rows_of, strata_of, task_of
from corrigible.errors import DataError
from corrigible.tasks import CLASSES, TASKS, task_named
from corrigible.types import Task

LABELS: dict[str, Tensor] = {
    "classes": torch.tensor([0, 2, 1, 1, 0, 2, 2, 1]),
    "several_labels": torch.tensor([[1, 0], [0, 0], [1, 1], [0, 1], [1, 0], [1, 0], [0, 0], [1, 0]]),
    "amounts": torch.tensor([120.0, -30.0, 55.0, 210.0, 0.0, 99.0, 140.0, 60.0]),
    "heteroscedastic": torch.tensor([120.0, -30.0, 55.0, 210.0, 0.0, 99.0, 140.0, 60.0]),
    "counts": torch.tensor([0, 1, 0, 3, 0, 2, 0, 0]),
    "positive_amounts": torch.tensor([10.0, 250.0, 33.0, 47.0, 900.0, 12.0, 65.0, 80.0]),
    "tweedie": torch.tensor([0.0, 250.0, 0.0, 47.0, 900.0, 0.0, 65.0, 0.0]),
    "quantiles": torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 3.0, 5.0, 9.0]),
    "ordered_classes": torch.tensor([0, 1, 2, 3, 2, 1, 0, 2]),
    "ranking": torch.tensor([1.0, 2.0, 3.0, 3.0, 5.0, 4.0, 0.0, 2.0]),
}
CHOICES = {
    "heteroscedastic": {"name": "amounts", "heteroscedastic": True},
    "tweedie": {"name": "positive_amounts", "power": 1.5},
}
every_task = pytest.mark.parametrize("name", LABELS)
without_classes = pytest.mark.parametrize("name", [name for name in LABELS if "classes" not in name])


def task_of_labels(name: str) -> tuple[Task, Tensor]:
    task = task_named(CHOICES.get(name, name), LABELS[name])
    return task, task.check(LABELS[name])


def drawn(task: Task, num_rows: int, seed: int = 0) -> Tensor:
    """Outputs about where a fresh network's begin."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(num_rows, task.num_outputs, generator=generator, dtype=torch.float64)
    if not task.start[0]:
        return noise
    centre, scale = (torch.tensor(part, dtype=torch.float64) for part in task.start)
    return centre + scale * noise


def test_every_task_is_tested() -> None:
    assert {task_of_labels(name)[0].name for name in LABELS} == set(TASKS)


@every_task
def test_the_functions_give_one_number_per_row_in_their_range(name: str) -> None:
    task, y = task_of_labels(name)
    outputs, others = drawn(task, len(y)), drawn(task, len(y), seed=1)
    shuffled = y.flip(0)
    for found in (task.loss(outputs, y, {}), task.quality(outputs, y, {}), task.moved(outputs, others)):
        assert found.shape == (len(y),) and bool(found.isfinite().all())
    assert bool((task.quality(outputs, y, {}) <= 1).all())
    moved, pull = task.moved(outputs, others), task.drawn(outputs, others, y, shuffled)
    assert bool(((moved >= 0) & (moved <= 1)).all()) and bool((pull.abs() <= 1 + 1e-12).all())
    torch.testing.assert_close(moved, task.moved(others, outputs))
    torch.testing.assert_close(pull, -task.drawn(others, outputs, y, shuffled))
    assert task.moved(outputs, outputs).abs().max() < 1e-12
    assert task.target(outputs).shape == (len(y),) and not task.target(outputs).is_floating_point()
    assert "predicted" in task.observed(outputs)
    assert all(len(values) == len(y) for values in task.observed(outputs).values())
    assert task.standard(outputs).shape[0] == len(y) and task.outputs(outputs).shape == outputs.shape
    assert task.written(12.5)


@every_task
def test_checked_labels_stay_as_they_are_and_give_at_least_two_strata(name: str) -> None:
    task, y = task_of_labels(name)
    assert torch.equal(task.check(y), y)
    strata = task.strata(y)
    assert strata.shape == (len(y),) and strata.dtype == torch.long and len(strata.unique()) >= 2
    assert torch.equal(task.strata(y[3:]), strata[3:])


@every_task
def test_the_gradient_of_the_loss_equals_finite_differences(name: str) -> None:
    task, y = task_of_labels(name)
    outputs = drawn(task, len(y)).requires_grad_()
    y = y.double() if y.is_floating_point() else y
    assert torch.autograd.gradcheck(lambda o: task.loss(o, y, {}), outputs, eps=1e-5)
    assert torch.autograd.gradcheck(task.values, outputs, eps=1e-5)


@every_task
def test_the_order_of_rows_changes_nothing(name: str) -> None:
    task, y = task_of_labels(name)
    outputs, order = drawn(task, len(y)), torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    for measure in (task.loss, task.quality):
        torch.testing.assert_close(measure(outputs[order], y[order], {}), measure(outputs, y, {})[order])


@pytest.mark.slow
@every_task
def test_training_on_the_loss_raises_the_quality(name: str) -> None:
    task, y = task_of_labels(name)
    begun = drawn(task, len(y))
    scale = torch.tensor(task.start[1] or 1.0)
    change = torch.zeros_like(begun).requires_grad_()
    optimizer = torch.optim.Adam([change], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        task.loss(begun + scale * change, y, {}).sum().backward()
        optimizer.step()
    before, after = (task.quality(outputs, y, {}).mean() for outputs in (begun, begun + scale * change))
    assert after > before and after > 0.85


@every_task
def test_several_equal_passes_predict_what_one_does(name: str) -> None:
    task, y = task_of_labels(name)
    outputs = drawn(task, len(y))
    combined = task.combined(torch.stack([outputs] * 3))
    torch.testing.assert_close(task.values(combined), task.values(outputs))
    torch.testing.assert_close(task.loss(combined, y, {}), task.loss(outputs, y, {}))


@every_task
def test_the_prediction_of_several_passes_is_their_mean(name: str) -> None:
    task, y = task_of_labels(name)
    passes = torch.stack([drawn(task, len(y), seed=seed) for seed in range(3)])
    mean = torch.stack([task.values(outputs) for outputs in passes]).mean(dim=0)
    found = task.values(task.combined(passes))
    # The spread of a mean of normal distributions is larger than the mean spread.
    columns = slice(0, 1) if name == "heteroscedastic" else slice(None)
    torch.testing.assert_close(found[:, columns], mean[:, columns])


@without_classes
def test_the_best_constant_has_quality_0(name: str) -> None:
    task, y = task_of_labels(name)
    outputs = torch.tensor(task.start[0], dtype=torch.float64).expand(len(y), -1)
    found = task.quality(outputs, y, {}).mean().item()
    assert found == pytest.approx(task.chance, abs=1e-6)
    assert task.chance == {"several_labels": 0.6875, "ranking": 0.5}.get(name, 0.0)


@every_task
def test_a_data_set_carries_its_task(name: str) -> None:
    choice = CHOICES.get(name, name)
    data = TensorData(torch.zeros(8, 2), LABELS[name], task=choice)
    assert task_of(data).name == task_of_labels(name)[0].name
    some = rows_of(data, torch.tensor([1, 3]))
    assert task_of(some) is task_of(data) and torch.equal(some.y, data.y[[1, 3]])
    assert torch.equal(strata_of(data), task_of(data).strata(data.y))

    class Rows:
        task = choice

        def __len__(self) -> int:
            return 8

        def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
            return torch.zeros(2), LABELS[name][row]

    own = as_dataset(Rows())
    assert task_of(own).name == task_of(data).name
    torch.testing.assert_close(rows_of(own, torch.tensor([1, 3])).y, some.y)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_quantiles_never_cross(outputs: list[float]) -> None:
    task, _ = task_of_labels("quantiles")
    values = task.values(torch.tensor([outputs], dtype=torch.float64))[0]
    assert bool((values.diff() >= 0).all())


@given(st.lists(st.floats(-30, 30), min_size=3, max_size=3))
def test_the_probabilities_of_ordered_classes_are_consistent(outputs: list[float]) -> None:
    task, _ = task_of_labels("ordered_classes")
    probs = task.observed(torch.tensor([outputs], dtype=torch.float64))["probs"][0]
    assert probs.sum().item() == pytest.approx(1.0) and bool((probs >= 0).all())
    by_hand, reached = [], 1.0
    for z in outputs:
        above = 1 / (1 + math.exp(-z))
        by_hand.append(reached * (1 - above))
        reached *= above
    assert probs.tolist() == pytest.approx([*by_hand, reached])


def test_a_class_is_drawn_as_probabilities_move() -> None:
    outputs, others = torch.tensor([[2.0, 0.0]]).double(), torch.tensor([[0.0, 0.0]]).double()
    rise = torch.sigmoid(torch.tensor(2.0)).item() - 0.5
    own, other = torch.tensor([1]), torch.tensor([0])
    assert CLASSES.drawn(outputs, others, own, other).item() == pytest.approx(rise)
    assert CLASSES.moved(outputs, others).item() == pytest.approx(rise)


@every_task
def test_labels_given_with_a_ready_task_are_checked(name: str) -> None:
    task, y = task_of_labels(name)
    given = TensorData(torch.zeros(8, 2), y, task=task)
    assert as_dataset(given).y.dtype == y.dtype
    if y.ndim == 1 and y.is_floating_point():
        column = as_dataset(TensorData(torch.zeros(8, 2), y[:, None], task=task))
        assert torch.equal(column.y, y)
        with pytest.raises(DataError, match="nan"):
            as_dataset(TensorData(torch.zeros(8, 2), torch.full((8,), torch.nan), task=task))
