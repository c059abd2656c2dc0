"""Each method of unlearning against its definition, written out slowly."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.models.forward import Forward
from corrigible.objective import Objective
from corrigible.protocols.schedule import result_of
from corrigible.protocols.unlearning.bounded_increment import BOUND, bounded_increment
from corrigible.protocols.unlearning.divergence import divergence
from corrigible.protocols.unlearning.fine_tuned import fine_tuned
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.protocols.unlearning.gradient_ascent import gradient_ascent
from corrigible.protocols.unlearning.gradients import loss_gradients
from corrigible.protocols.unlearning.hybrid import bounds, hybrid
from corrigible.protocols.unlearning.memorisation import memorisation, parts_by_memorisation
from corrigible.protocols.unlearning.neighbourhood import neighbourhood_of, whitening
from corrigible.protocols.unlearning.newton_step import conjugate_gradients, newton_step
from corrigible.protocols.unlearning.retrained import retrained
from corrigible.protocols.unlearning.small_gradients import damped_step, small_gradients, smallest
from corrigible.protocols.unlearning.teacher_and_student import teacher_and_student
from corrigible.tasks import CLASSES
from corrigible.types import Batch
from finite_differences import require_slope

NUM_KEPT, NUM_FORGOTTEN = 40, 8


def network(num_outputs: int = 3) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 6), nn.Softplus(), nn.Linear(6, num_outputs)).double()


def rows(num_rows: int, seed: int, task: str = "classes") -> TensorData:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num_rows, 4, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (num_rows,), generator=generator) if task == "classes" else x.sum(dim=1)
    return TensorData(x, y, task=task)


KEPT, FORGOTTEN = rows(NUM_KEPT, 1), rows(NUM_FORGOTTEN, 2)
WHOLE = Forgetting(network(), KEPT, FORGOTTEN, batch_size=NUM_KEPT)
"""With one batch, which holds all kept rows."""


def stepped(objective, *, steps: int = 1, rate: float = 0.01) -> nn.Module:
    """The network after steps of Adam on the objective."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(model).backward()
        optimizer.step()
    return model


def assert_same(found: nn.Module, expected: nn.Module, **close) -> None:
    for one, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, **close)


def test_hybrid_is_a_step_on_its_objective():
    """All parts of it, on one batch of all kept and all forgotten rows."""
    before, near = network(), neighbourhood_of(WHOLE, neighbours=5)
    with torch.no_grad():
        was, told = cross_entropy(before(FORGOTTEN.x), FORGOTTEN.y, reduction="none"), []
        of_kept, seen = before(KEPT.x), before(KEPT.x).softmax(1)[near.nearest].mean(1)
        for row, nearest in enumerate(near.nearest):
            label = FORGOTTEN.y[row]
            told.append(sum(cross_entropy(of_kept[j][None], label[None]) for j in nearest) / 5)
    bound = torch.minimum(was + 0.7, torch.stack(told))

    def kl(target, outputs):
        p = log_softmax(outputs, 1).exp()
        return sum(t * (t.log() - q.log()) for t, q in zip(target.flatten(), p.flatten(), strict=True)) / len(target)

    def objective(model):
        kept = model(KEPT.x)
        losses = cross_entropy(model(FORGOTTEN.x), FORGOTTEN.y, reduction="none")
        raised = sum(max(b - loss, torch.zeros(())) for b, loss in zip(bound, losses, strict=True)) / NUM_FORGOTTEN
        like = kl(seen, model(FORGOTTEN.x))
        return cross_entropy(kept, KEPT.y) + 2 * raised + 0.5 * like + 0.3 * kl(of_kept.softmax(1), kept)

    how = {"neighbours": 5, "increment": 0.7, "raising": 2.0, "likeness": 0.5, "nearness": 0.3, "learning_rate": 0.01}
    found = result_of(hybrid(WHOLE, rows_per_step=NUM_FORGOTTEN, **how))
    assert_same(found, stepped(objective))


def test_parts_of_hybrid_can_be_switched_off():
    how = {"neighbours": 0, "increment": 1.0, "raising": 0.0, "learning_rate": 0.01}
    assert_same(
        result_of(hybrid(WHOLE, **how)), result_of(fine_tuned(WHOLE, epochs=1, learning_rate=0.01)), rtol=0, atol=0
    )


def test_the_bounded_increment_has_the_slope_of_finite_differences_and_none_past_the_bound():
    below = torch.arange(NUM_FORGOTTEN) % 2 == 0
    losses = cross_entropy(network()(FORGOTTEN.x), FORGOTTEN.y, reduction="none").detach()
    bound = torch.where(below, losses + 0.5, losses - 0.5)

    def penalty(model, differentiable=False, bound=bound, data=FORGOTTEN):
        batch = Batch(torch.arange(len(data)), data.x, data.y, extra={BOUND: bound}, task=CLASSES)
        found = bounded_increment(Forward(model, batch, track_input=False), batch)
        return found if differentiable else found.detach()

    assert float(penalty(network())) == pytest.approx(0.5 * 4 / 8)
    require_slope(network(), penalty)
    model = network()
    past = penalty(model, True, losses - 1e-6)
    assert float(past.detach()) == 0
    assert all(not g.any() for g in torch.autograd.grad(past, list(model.parameters())))


def test_gradient_ascent_is_a_step_on_the_difference_of_losses():
    def objective(model):
        return 0.8 * cross_entropy(model(KEPT.x), KEPT.y) - 0.2 * cross_entropy(model(FORGOTTEN.x), FORGOTTEN.y)

    found = result_of(gradient_ascent(WHOLE, kept_share=0.8, learning_rate=0.01))
    assert_same(found, stepped(objective), rtol=1e-5, atol=1e-8)


def test_teacher_and_student_go_away_and_back_by_turns():
    teacher = network()

    def kl(outputs, x):
        p, q = log_softmax(teacher(x).detach(), 1), log_softmax(outputs, 1)
        return (p.exp() * (p - q)).sum(1).mean()

    turns = iter(range(3))

    def objective(model):
        if next(turns) == 0:
            return -kl(model(FORGOTTEN.x), FORGOTTEN.x)
        kept = model(KEPT.x)
        return 0.9 * cross_entropy(kept, KEPT.y) + 0.4 * kl(kept, KEPT.x)

    # The student begins where the teacher is, at a maximum of minus the divergence: no gradient, so a second epoch.
    how = {"epochs": 2, "away": 1, "likeness": 0.4, "labels": 0.9, "learning_rate": 0.01}
    assert_same(result_of(teacher_and_student(WHOLE, **how)), stepped(objective, steps=3), rtol=1e-6, atol=1e-9)


def test_fine_tuning_sees_kept_rows_alone():
    found = result_of(fine_tuned(WHOLE, epochs=2, learning_rate=0.01))
    assert_same(found, stepped(lambda model: cross_entropy(model(KEPT.x), KEPT.y), steps=2))


def test_retraining_does_not_depend_on_weights_or_forgotten_rows():
    other = copy.deepcopy(network())
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(3.0)
    elsewhere = replace(WHOLE, model=other, forgotten=rows(5, 9))
    first, second = (result_of(retrained(given, epochs=2)) for given in (WHOLE, elsewhere))
    assert_same(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_newton_step_on_a_quadratic_loss_is_exact(is_weighted):
    """Least squares, of rows with weights weighted: from the minimum on all rows to that on the kept ones."""
    kept, forgotten = rows(30, 3, "amounts"), rows(6, 4, "amounts")
    kept, forgotten = (
        replace(
            part, y=part.y + torch.randn(len(part), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
        )
        for part in (kept, forgotten)
    )
    # The task's scale of labels is that of the kept rows; both parts share it.
    forgotten = replace(forgotten, task=kept.task)

    if is_weighted:
        kept, forgotten = (replace(part, weight=torch.arange(len(part)) / 4.0) for part in (kept, forgotten))

    def least_squares(*parts):
        x = torch.cat([torch.cat([p.x, torch.ones(len(p), 1, dtype=torch.float64)], 1) for p in parts])
        root = torch.cat([torch.ones(len(p)) if p.weight is None else p.weight for p in parts]).double().sqrt()[:, None]
        return torch.linalg.lstsq(root * x, root * torch.cat([p.y for p in parts])[:, None]).solution[:, 0]

    model = nn.Linear(4, 1).double()
    with torch.no_grad():
        fitted = least_squares(kept, forgotten)
        model.weight.copy_(fitted[None, :4])
        model.bias.copy_(fitted[4:])
    given = Forgetting(model, kept, forgotten)
    found = result_of(newton_step(given, damping=0.0, iterations=20))
    torch.testing.assert_close(torch.cat([found.weight[0], found.bias]), least_squares(kept), rtol=1e-6, atol=1e-7)
    assert torch.equal(model.weight[0], fitted[:4])


def test_conjugate_gradients_solve_and_stop_where_a_matrix_curves_downwards(caplog):
    matrix = torch.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    right = [torch.tensor([1.0, 2.0], dtype=torch.float64)]
    (found,) = conjugate_gradients(lambda v: [matrix @ v[0]], right, 5)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, right[0]))
    (none,) = conjugate_gradients(lambda v: [-matrix @ v[0]], right, 5)
    assert not none.any()
    assert "curves downwards" in caplog.text


def test_gradients_of_rows_are_those_of_their_mean_loss():
    model = network()
    cross_entropy(model(KEPT.x), KEPT.y).backward()
    for name, gradient in loss_gradients(WHOLE, KEPT).items():
        torch.testing.assert_close(gradient, dict(model.named_parameters())[name].grad)


def test_gradients_of_rows_with_weights_are_those_of_their_weighted_mean_loss():
    weight = torch.rand(NUM_KEPT, generator=torch.Generator().manual_seed(3)) + 0.1
    model = network()
    losses = cross_entropy(model(KEPT.x), KEPT.y, reduction="none")
    ((losses * weight).sum() / weight.sum()).backward()
    for name, gradient in loss_gradients(WHOLE, replace(KEPT, weight=weight)).items():
        torch.testing.assert_close(gradient, dict(model.named_parameters())[name].grad)
    unweighted = loss_gradients(WHOLE, replace(KEPT, weight=torch.zeros(NUM_KEPT)))
    assert not any(gradient.any() for gradient in unweighted.values())
    with pytest.raises(DataError, match="weights of all kept rows are 0"):
        result_of(newton_step(replace(WHOLE, kept=replace(KEPT, weight=torch.zeros(NUM_KEPT)))))


def test_small_gradients_make_the_least_telling_weights_fresh():
    found = result_of(small_gradients(WHOLE, share=0.5, damping=0.0, learning_rate=0.1, epochs=1))
    kept, forgotten = (loss_gradients(WHOLE, part) for part in (KEPT, FORGOTTEN))
    for name, was in network().named_parameters():
        sizes = (kept[name] - forgotten[name]).abs()
        is_small = sizes <= sizes.flatten().sort().values[round(sizes.numel() / 2) - 1]
        now = dict(found.named_parameters())[name]
        assert torch.equal(now[~is_small], was[~is_small])
        assert (now[is_small] != was[is_small]).all()
    assert smallest(torch.tensor([3.0, 1.0, 2.0]), 0.34).tolist() == [False, True, False]


def test_a_damped_step_goes_a_share_of_the_way():
    model = nn.Linear(2, 2).double()
    start = model.weight.detach().clone()
    chosen = torch.tensor([[True, False], [False, False]])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def objective():
        return Objective(torch.zeros(1), {}, model.weight.sum())

    damped_step({model.weight: chosen}, 0.25)(optimizer, objective)
    torch.testing.assert_close(model.weight.detach(), torch.where(chosen, start - 1.0, start - 0.25))


def test_neighbours_are_the_nearest_by_mahalanobis_distance_within_classes():
    near = neighbourhood_of(WHOLE, neighbours=3)
    inside = network()[:2]
    with torch.no_grad():
        kept, forgotten = inside(KEPT.x), inside(FORGOTTEN.x)
    within = torch.stack([kept[i] - kept[KEPT.y == KEPT.y[i]].mean(0) for i in range(NUM_KEPT)])
    covariance = sum(torch.outer(row, row) for row in within) / NUM_KEPT
    covariance = 0.9 * covariance + 0.1 * covariance.diagonal().mean() * torch.eye(6, dtype=torch.float64)
    inverse = torch.linalg.inv(covariance)
    for row in range(NUM_FORGOTTEN):
        distances = torch.stack(
            [(kept[j] - forgotten[row]) @ inverse @ (kept[j] - forgotten[row]) for j in range(NUM_KEPT)]
        )
        assert near.nearest[row].tolist() == distances.argsort()[:3].tolist()
    torch.testing.assert_close(near.prediction.softmax(1), network()(KEPT.x).softmax(1)[near.nearest].mean(1).detach())


def test_distances_can_be_measured_elsewhere_and_constant_units_do_no_harm():
    assert neighbourhood_of(WHOLE, neighbours=2, layer="0").nearest.shape == (NUM_FORGOTTEN, 2)
    assert whitening(torch.ones(5, 3, dtype=torch.float64), torch.zeros(5).long()).isfinite().all()
    with pytest.raises(RecipeError, match="neighbours is 0"):
        neighbourhood_of(WHOLE, neighbours=0)


def test_rows_are_memorised_as_far_as_neighbours_find_their_labels_less_likely():
    scores, near, model = memorisation(WHOLE), neighbourhood_of(WHOLE, neighbours=10).nearest, network()
    with torch.no_grad():
        for row in range(NUM_FORGOTTEN):
            label = FORGOTTEN.y[row]
            told = [cross_entropy(model(KEPT.x[j]), label) for j in near[row]]
            expected = torch.stack(told).mean() - cross_entropy(model(FORGOTTEN.x[row]), label)
            assert float(scores[row]) == pytest.approx(float(expected))
    parts = parts_by_memorisation(WHOLE, 3)
    assert torch.cat(parts).sort().values.tolist() == list(range(NUM_FORGOTTEN))
    assert scores[parts[0]].max() < scores[parts[1]].min() < scores[parts[1]].max() < scores[parts[2]].min()
    with pytest.raises(RecipeError, match="parts is 9"):
        parts_by_memorisation(WHOLE, 9)


def test_divergence_of_amounts_is_half_the_squared_distance():
    task = rows(5, 1, "amounts").task
    first, second = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.0]])
    scale = (task.standard(first) - task.standard(second))[0, 0]
    torch.testing.assert_close(divergence(task, first, second), torch.stack([scale**2 / 2, torch.zeros(())]))


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (hybrid, {"raising": -1.0}),
        (hybrid, {"neighbours": 0}),
        (hybrid, {"rows_per_step": 0}),
        (hybrid, {"increment": float("inf")}),
        (gradient_ascent, {"kept_share": 0.0}),
        (teacher_and_student, {"away": 3}),
        (small_gradients, {"share": 1.5}),
        (newton_step, {"damping": -1.0}),
    ],
)
def test_settings_out_of_range_are_refused(method, settings):
    with pytest.raises(RecipeError, match="expected|neighbours is 0"):
        result_of(method(WHOLE, **settings))


def test_the_bound_without_neighbours_is_the_loss_and_the_increment():
    was = cross_entropy(network()(FORGOTTEN.x), FORGOTTEN.y, reduction="none").detach()
    torch.testing.assert_close(bounds(WHOLE, None, 0.4), was + 0.4)
    assert partial(bounds, WHOLE, None)(0.0).tolist() == pytest.approx(was.tolist())
