"""Penalties on gaps between groups, each against its definition written out slowly."""

import math
from collections.abc import Iterable

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.group_gaps import SHARPNESS, predictions
from corrigible.models.forward import Forward
from corrigible.penalties import (
    bounded_group_loss,
    demographic_parity,
    equal_opportunity,
    equalized_odds,
    group_calibration,
)
from corrigible.tasks import CLASSES, task_named
from corrigible.types import Batch, Task

NUM_ROWS = 24
GROUP = torch.arange(NUM_ROWS) % 3
AGE = torch.linspace(20, 80, NUM_ROWS, dtype=torch.float64).square()
EXPOSURE = torch.linspace(0.2, 1.0, NUM_ROWS, dtype=torch.float64)
WEIGHT = torch.linspace(0.5, 2.0, NUM_ROWS, dtype=torch.float64)


def batch_of(num_outputs: int, y: torch.Tensor, task: Task = CLASSES, **more) -> tuple[nn.Module, Batch]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(NUM_ROWS, 4, dtype=torch.float64, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, num_outputs)).double()
    return model, Batch(torch.arange(NUM_ROWS), x, y, group=GROUP, weight=WEIGHT, task=task, **more)


def of_classes(num_classes: int) -> tuple[nn.Module, Batch]:
    y = (torch.arange(NUM_ROWS) * 7 % 5) % num_classes
    return batch_of(num_classes, y, extra={"age": AGE, "sex": GROUP % 2})


def of_counts() -> tuple[nn.Module, Batch]:
    y = (torch.arange(NUM_ROWS) * 5 % 4).double()
    extra = {"exposure": EXPOSURE, "age": AGE}
    return batch_of(1, y, task_named("counts", y, extra), extra=extra)


def mean(values: Iterable[float], weights: Iterable[float]) -> float:
    values, weights = list(values), list(weights)
    return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)


def shrunk(rows: list[int], numbers: list[float], weights: list[float], k: float) -> list[float]:
    """Each group's mean less that of these rows, times n / (n + k); n is that of rows of equal weight."""
    overall, found = mean([numbers[i] for i in rows], [weights[i] for i in rows]), []
    for group in sorted({int(GROUP[i]) for i in rows}):
        members = [i for i in rows if GROUP[i] == group]
        of = [weights[i] for i in members]
        n = math.fsum(of) ** 2 / math.fsum(w * w for w in of)
        found.append(n / (n + k) * (mean([numbers[i] for i in members], of) - overall))
    return found


def mean_square(numbers: Iterable[float]) -> float:
    numbers = list(numbers)
    return math.fsum(d * d for d in numbers) / len(numbers)


def soft(model: nn.Module, batch: Batch, label: int, sharpness: float) -> list[float]:
    return [
        math.exp(sharpness * row[label]) / math.fsum(math.exp(sharpness * z) for z in row)
        for row in model(batch.x).tolist()
    ]


def value(penalty, model, batch, **settings) -> float:
    return penalty(Forward(model, batch), batch, **settings).item()


def test_parity_and_odds_of_two_classes_are_by_their_definitions():
    model, batch = of_classes(2)
    numbers, weights = soft(model, batch, 1, 3.0), WEIGHT.tolist()
    rows = {label: [i for i in range(NUM_ROWS) if batch.y[i] == label] for label in (0, 1)}
    settings = {"sharpness": 3.0, "shrinkage": 4.0}
    parity = mean_square(shrunk([*range(NUM_ROWS)], numbers, weights, 4.0))
    assert value(demographic_parity, model, batch, **settings) == pytest.approx(parity, rel=1e-9)
    rates = [mean_square(shrunk(rows[label], numbers, weights, 4.0)) for label in (0, 1)]
    assert value(equal_opportunity, model, batch, **settings) == pytest.approx(rates[1], rel=1e-9)
    assert value(equalized_odds, model, batch, **settings) == pytest.approx(sum(rates) / 2, rel=1e-9)


def test_opportunity_of_several_classes_is_that_of_each():
    model, batch = of_classes(3)
    of_labels = []
    for label in range(3):
        rows = [i for i in range(NUM_ROWS) if batch.y[i] == label]
        of_labels.append(mean_square(shrunk(rows, soft(model, batch, label, 2.0), WEIGHT.tolist(), 10.0)))
    found = value(equal_opportunity, model, batch, sharpness=2.0)
    assert found == pytest.approx(sum(of_labels) / 3, rel=1e-9)


def test_parity_and_calibration_of_prices_are_per_exposure_and_relative():
    model, batch = of_counts()
    rates = [math.exp(row[0]) for row in model(batch.x).tolist()]
    weights = (WEIGHT * EXPOSURE).tolist()
    differences = shrunk([*range(NUM_ROWS)], rates, weights, 10.0)
    expected = mean_square(d / mean(rates, weights) for d in differences)
    assert value(demographic_parity, model, batch) == pytest.approx(expected, rel=1e-9)
    observed = (batch.y / EXPOSURE).tolist()
    residuals = [rate - seen for rate, seen in zip(rates, observed, strict=True)]
    overall = mean(residuals, weights)
    differences = [d + overall for d in shrunk([*range(NUM_ROWS)], residuals, weights, 10.0)]
    expected = mean_square(d / mean(observed, weights) for d in differences)
    assert value(group_calibration, model, batch) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("bound", [None, 0.65])
def test_bounded_group_loss_is_what_losses_are_above_the_bound(bound):
    model, batch = of_classes(2)
    losses = [-math.log(soft(model, batch, int(label), 1.0)[i]) for i, label in enumerate(batch.y)]
    overall = mean(losses, WEIGHT.tolist())
    means = [d + overall for d in shrunk([*range(NUM_ROWS)], losses, WEIGHT.tolist(), 10.0)]
    expected = mean_square(max(0.0, found - (overall if bound is None else bound)) for found in means)
    assert expected > 0
    assert value(bounded_group_loss, model, batch, bound=bound) == pytest.approx(expected, rel=1e-9)


def test_an_attribute_that_is_a_number_is_looked_at_by_its_covariance():
    model, batch = of_classes(2)
    numbers, weights, ages = soft(model, batch, 1, SHARPNESS), WEIGHT.tolist(), AGE.tolist()
    middle, overall = mean(ages, weights), mean(numbers, weights)
    sd = math.sqrt(mean([(age - middle) ** 2 for age in ages], weights))
    covariance = mean([(a - middle) / sd * (n - overall) for a, n in zip(ages, numbers, strict=True)], weights)
    assert value(demographic_parity, model, batch, sensitive="age") == pytest.approx(covariance**2, rel=1e-9)
    with pytest.raises(UnsupportedModelError, match="'age' is a number; give it in bands"):
        value(bounded_group_loss, model, batch, sensitive="age")


def test_without_a_gap_they_are_0_and_rows_without_the_label_too():
    _, batch = of_classes(2)
    constant = nn.Linear(4, 2).double()
    nn.init.zeros_(constant.weight)
    for penalty in (demographic_parity, equal_opportunity, equalized_odds):
        assert value(penalty, constant, batch) == pytest.approx(0, abs=1e-30)
    model, none_positive = batch_of(2, torch.zeros(NUM_ROWS, dtype=torch.long))
    assert value(equal_opportunity, model, none_positive) == 0


def test_the_gap_of_soft_decisions_is_near_that_of_the_decisions():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, generator=generator) * 1.5
    group = torch.arange(20_000) % 2
    outputs = torch.stack([torch.zeros(20_000), logits - 1 + 0.8 * group], dim=1)
    gaps = []
    for sharpness in (None, SHARPNESS, 1.0):
        numbers = predictions(CLASSES, outputs, sharpness)[:, 0]
        gaps.append(float(numbers[group == 1].mean() - numbers[group == 0].mean()))
    decided, soft_gap, probability_gap = gaps
    assert abs(soft_gap - decided) < 0.02 < abs(probability_gap - decided)


def test_what_has_no_such_gap_is_refused():
    model, batch = of_counts()
    with pytest.raises(UnsupportedModelError, match="about classes, and the task is 'counts'; name equalized_odds"):
        value(equal_opportunity, model, batch)
    with pytest.raises(UnsupportedModelError, match="no attribute 'race' beside them .there are: 'exposure', 'age'"):
        value(demographic_parity, model, batch, sensitive="race")
    y = torch.rand(NUM_ROWS, 3, dtype=torch.float64).round()
    model, batch = batch_of(3, y, task_named("several_labels", y))
    with pytest.raises(UnsupportedModelError, match="not compared for the task 'several_labels'; expected one of cl"):
        value(demographic_parity, model, batch)
