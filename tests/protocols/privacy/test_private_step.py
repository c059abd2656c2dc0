"""Private steps: each row's gradient is clipped, noise is added, and ε is that of Opacus's accountant."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError
from corrigible.feedback.masks import marks_of
from corrigible.losses import task_loss
from corrigible.models.forward import Forward
from corrigible.objective import Objective, StepObjective, terms_of
from corrigible.protocols.privacy.accounting import epsilon_of
from corrigible.protocols.privacy.private_step import PrivateStep
from corrigible.protocols.privacy.sampling import Sampling, poisson_batches, rows_in
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Batch, Feedback

NUM_ROWS, CLIP = 24, 0.3
DATA = TensorData(torch.randn(NUM_ROWS, 4, generator=torch.Generator().manual_seed(0)), torch.arange(NUM_ROWS) * 7 % 3)
MARKS = marks_of([Feedback(torch.tensor([True, False, True, False]), row=row) for row in (2, 5, 11, 12)], DATA)
SAMPLING = Sampling(NUM_ROWS, 8, 3, 6, num_reviewed=4, reviewed_batch_size=2)
SEEDED = {"name": "private", "noise_multiplier": 1.0, "is_seeded": True, "max_grad_norm": CLIP}


def network(*, dropout: float = 0.0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 6), nn.Softplus(), nn.Dropout(dropout), nn.Linear(6, 3)).double()


def batch(*rows: int, marked: bool = False) -> Batch:
    index = torch.tensor(rows, dtype=torch.long)
    masks = MARKS.irrelevant.masks(index, DATA.y[index])
    given = (masks, torch.zeros_like(masks)) if marked else (None, None)
    return Batch(index, DATA.x[index].double(), DATA.y[index], *given)


def objective(model: nn.Module, reviewed: Batch | None = None, *, rows=(0, 1, 2, 5), penalties=None) -> StepObjective:
    return StepObjective(model, batch(*rows), reviewed, task_loss, terms_of(penalties or {}), 0, 0)


def stepped(asked: PrivateStep, given: StepObjective, *, seed: int = 0) -> tuple[list[Tensor], Objective]:
    """The gradients that a step gives to the optimizer."""
    steps = asked(SAMPLING.num_steps, SAMPLING, seed=seed)
    found = steps(torch.optim.SGD(given.model.parameters(), lr=0.0), given)
    return [p.grad for p in given.model.parameters()], found


def quiet(**settings) -> PrivateStep:
    """Steps with hardly any noise."""
    return PrivateStep(**{"noise_multiplier": 1e-12, "max_grad_norm": CLIP, "is_seeded": True, **settings})


def clipped(gradients: list[Tensor]) -> list[Tensor]:
    norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
    return [g * min(1.0, CLIP / max(norm, 1e-30)) for g in gradients]


def slowly(given: StepObjective, of_row) -> list[Tensor]:
    """The definition: the clipped gradient of each row's own objective, one row after the other, summed."""
    total = [torch.zeros_like(p) for p in given.model.parameters()]
    for value in of_row():
        parts = torch.autograd.grad(value, list(given.model.parameters()), allow_unused=True)
        own = [torch.zeros_like(t) if part is None else part for part, t in zip(parts, total, strict=True)]
        total = [t + g for t, g in zip(total, clipped(own), strict=True)]
    return total


def label_losses(given: StepObjective):
    for place in range(len(given.batch.index)):
        row = rows_in(given.batch, slice(place, place + 1))
        yield task_loss(Forward(given.model, row, track_input=False), row).sum()


def test_the_gradient_is_the_sum_of_clipped_gradients_of_rows_over_the_expected_number():
    given = objective(network())
    found, losses = stepped(quiet(), given)
    expected = [total / SAMPLING.expected_rows for total in slowly(given, lambda: label_losses(given))]
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(found, expected, strict=True))
    assert torch.allclose(losses.label_losses, torch.stack(list(label_losses(given))).detach())


def test_sample_weights_multiply_a_rows_gradient_before_it_is_clipped():
    given = objective(network())
    weight = torch.tensor([0.0, 0.1, 1.0, 5.0])
    given = replace(given, batch=replace(given.batch, weight=weight))
    weighted = lambda: (w * loss for w, loss in zip(weight, label_losses(given), strict=True))  # noqa: E731
    expected = [total / SAMPLING.expected_rows for total in slowly(given, weighted)]
    found, _ = stepped(quiet(), given)
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("penalty", ["right_reasons", "energy_outside"])
def test_penalties_of_reviewed_rows_are_clipped_by_row_over_their_own_expected_number(penalty):
    reviewed = batch(2, 5, 12, marked=True)
    given = objective(network(), reviewed, penalties={penalty: 2.0})

    def penalties():
        for place in range(len(reviewed.index)):
            row = rows_in(reviewed, slice(place, place + 1))
            yield 2.0 * given.terms[0].value(Forward(given.model, row), row)

    of_labels = [t / SAMPLING.expected_rows for t in slowly(given, lambda: label_losses(given))]
    of_reviewed = [t / SAMPLING.expected_reviewed for t in slowly(given, penalties)]
    found, values = stepped(quiet(), given)
    for gradient, a, b in zip(found, of_labels, of_reviewed, strict=True):
        assert torch.allclose(gradient, a + b, atol=1e-10)
    mean = sum(float(value.detach()) for value in penalties()) / 2.0 / SAMPLING.expected_reviewed
    assert float(values.penalties[penalty]) == pytest.approx(mean)


def test_penalties_of_reviewed_rows_may_have_a_clipping_norm_and_noise_of_their_own():
    given = objective(network(), batch(2, 5, 12, marked=True), rows=(), penalties={"right_reasons": 1e6})
    small, _ = stepped(quiet(max_reviewed_norm=CLIP / 100), given)
    large, _ = stepped(quiet(), given)
    assert all(torch.allclose(100 * a, b, atol=1e-8) for a, b in zip(small, large, strict=True))
    empty = replace(given, reviewed=rows_in(given.reviewed, slice(0, 0)))
    asked = PrivateStep(noise_multiplier=1.0, is_seeded=True, max_grad_norm=1e-9, max_reviewed_norm=CLIP)
    noise = torch.cat([gradient.flatten() for gradient in stepped(asked, empty)[0]])
    assert 0.5 < float(noise.std()) * SAMPLING.expected_reviewed / CLIP < 1.5


def test_marked_label_batches_clip_a_rows_loss_and_penalty_together():
    given = objective(network(), penalties={"right_reasons": 3.0})
    given = replace(given, batch=batch(2, 5, 0, marked=True))

    def both():
        for place in range(3):
            row = rows_in(given.batch, slice(place, place + 1))
            yield replace(given, batch=row)().total

    expected = [total / SAMPLING.expected_rows for total in slowly(given, both)]
    found, _ = stepped(quiet(), given)
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(found, expected, strict=True))


def test_a_penalty_of_the_weights_alone_is_added_as_it_is():
    model = network()
    plain, _ = stepped(quiet(), objective(model))
    found, values = stepped(quiet(), objective(model, penalties={"weight_norm": 0.5}))
    matrices = [p for p in model.parameters() if p.ndim == 2]
    mean = torch.cat([m.flatten() for m in matrices]).square().mean()
    assert float(values.penalties["weight_norm"]) == pytest.approx(float(mean.detach()))
    count = sum(m.numel() for m in matrices)
    for gradient, before, p in zip(found, plain, model.parameters(), strict=True):
        expected = 0.5 * 2 * p / count if p.ndim == 2 else torch.zeros_like(p)
        assert torch.allclose(gradient - before, expected, atol=1e-10)


def test_each_row_has_its_own_dropout_and_the_gradient_is_that_of_its_loss():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        given = objective(network(dropout=0.5).train(), rows=(3, 3, 3, 3, 3, 3))
        found, losses = stepped(quiet(max_grad_norm=100.0), given)
    assert len(losses.label_losses.unique()) > 1
    # The last bias: its gradient is what the outputs miss, whatever was dropped; its sum is 0 in each row.
    assert float(found[-1].sum()) == pytest.approx(0, abs=1e-10)


def test_an_empty_batch_leaves_the_noise_alone():
    given = objective(network())
    empty = replace(given, batch=rows_in(given.batch, slice(0, 0)))
    steps = PrivateStep(noise_multiplier=1.0, is_seeded=True, max_grad_norm=CLIP)
    found, losses = stepped(steps, empty)
    assert losses.label_losses.numel() == 0
    flat = torch.cat([g.flatten() for g in found])
    assert 0.5 < float(flat.std()) * SAMPLING.expected_rows / CLIP < 1.5


@pytest.mark.parametrize("is_seeded", [True, False])
def test_the_noise_has_the_variance_that_was_asked_for(is_seeded):
    model = nn.Linear(200, 100).double()
    data = Batch(torch.arange(1), torch.zeros(1, 200).double(), torch.zeros(1, dtype=torch.long))
    given = StepObjective(model, rows_in(data, slice(0, 0)), None, task_loss, (), 0, 0)
    asked = PrivateStep(noise_multiplier=2.5, max_grad_norm=CLIP, is_seeded=is_seeded)
    found, _ = stepped(asked, given)
    scaled = torch.cat([g.flatten() for g in found]) * SAMPLING.expected_rows / (2.5 * CLIP)
    # 20,100 draws: five standard errors of the variance and the mean.
    assert abs(float(scaled.var()) - 1) < 5 * math.sqrt(2 / len(scaled))
    assert abs(float(scaled.mean())) < 5 / math.sqrt(len(scaled))
    assert abs(float((scaled.abs() < 1).double().mean()) - 0.6827) < 5 * math.sqrt(0.22 / len(scaled))


def test_noise_of_the_operating_system_never_repeats_and_seeded_noise_does():
    given = objective(network())
    for is_seeded in (True, False):
        asked = PrivateStep(noise_multiplier=1.0, is_seeded=is_seeded)
        (first, *_), _ = stepped(asked, given)
        (second, *_), _ = stepped(asked, given)
        assert torch.equal(first, second) == is_seeded


def test_rows_are_drawn_independently_with_the_rate_and_batches_may_be_empty():
    rate, num_batches = 0.05, 4000
    batches = list(poisson_batches(DATA, torch.arange(NUM_ROWS), rate, num_batches=num_batches, seed=3)(0))
    assert len(batches) == num_batches
    sizes = torch.tensor([len(found.index) for found in batches], dtype=torch.float64)
    expected = NUM_ROWS * rate
    assert abs(float(sizes.mean()) - expected) < 5 * math.sqrt(expected / num_batches)
    assert abs(float(sizes.var()) - expected * (1 - rate)) < 0.15  # Binomial.
    assert float((sizes == 0).double().mean()) == pytest.approx((1 - rate) ** NUM_ROWS, abs=0.04)
    drawn = torch.cat([found.index for found in batches]).bincount(minlength=NUM_ROWS) / num_batches
    assert bool(((drawn - rate).abs() < 5 * math.sqrt(rate / num_batches)).all())


def test_a_run_counts_label_rows_and_reviewed_rows_as_opacus_does_by_hand():
    accountants = pytest.importorskip("opacus.accountants")
    model = network().float()
    schedule = Schedule(
        epochs=2, batch_size=8, reviewed_batch_size=2, learning_rate=0.01, step={**SEEDED, "delta": 1e-3}
    )
    for _ in run(model, DATA, schedule, marks=MARKS, penalties={"right_reasons": 1.0}):
        pass
    found = model.privacy
    by_hand = accountants.RDPAccountant()
    for _ in range(6):
        by_hand.step(noise_multiplier=1.0, sample_rate=8 / NUM_ROWS)
    assert found.epsilon == by_hand.get_epsilon(1e-3)
    for _ in range(6):
        by_hand.step(noise_multiplier=1.0, sample_rate=2 / 4)
    assert found.reviewed_epsilon == by_hand.get_epsilon(1e-3)
    assert (found.num_steps, found.rate, found.reviewed_rate) == (6, 8 / NUM_ROWS, 0.5)
    assert f"ε = {found.epsilon:.3g}, of reviewed rows ε = {found.reviewed_epsilon:.3g} at δ = 0.001" in found.line


@pytest.mark.slow
def test_an_epsilon_that_is_asked_for_is_kept():
    pytest.importorskip("opacus")
    model = network().float()
    asked = PrivateStep(epsilon=2.0, delta=1e-3, is_seeded=True)
    for _ in run(model, DATA, Schedule(epochs=2, batch_size=8, step=asked)):
        pass
    assert 1.9 < model.privacy.epsilon <= 2.0
    assert model.privacy.reviewed_epsilon is None


def test_a_second_training_adds_and_one_without_noise_takes_the_record_away():
    pytest.importorskip("opacus")
    model, schedule = network().float(), Schedule(epochs=1, batch_size=8, step={**SEEDED, "delta": 1e-3})
    for _ in range(2):
        assert len(list(run(model, DATA, schedule))) == 1
    assert model.privacy.history == ((1.0, 1 / 3, 3), (1.0, 1 / 3, 3))
    assert model.privacy.epsilon == epsilon_of([(1.0, 1 / 3, 6)], 1e-3)
    list(run(model, DATA, Schedule(epochs=1)))
    assert not hasattr(model, "privacy")


def test_a_seeded_run_repeats_and_the_global_state_is_left_alone():
    pytest.importorskip("opacus")
    weights = []
    for _ in range(2):
        model, before = network(dropout=0.2).float(), torch.get_rng_state()
        list(run(model, DATA, Schedule(epochs=2, batch_size=8, step={**SEEDED, "delta": 1e-3}), seed=4))
        assert torch.equal(torch.get_rng_state(), before)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    "settings",
    [{}, {"epsilon": 1.0, "noise_multiplier": 1.0}, {"epsilon": 0.0}, {"epsilon": 1.0, "delta": 0.0}],
)
def test_settings_that_make_no_sense_are_refused_when_a_schedule_is_made(settings):
    with pytest.raises(RecipeError, match=r"expected"):
        Schedule(step={"name": "private", **settings})


def test_a_delta_that_would_allow_to_publish_a_row_is_refused():
    with pytest.raises(RecipeError, match=r"there are 24 rows.*expected less than 0\.04"):
        PrivateStep(noise_multiplier=1.0, delta=0.05)(6, SAMPLING)


def test_training_that_does_not_draw_rows_independently_is_refused():
    with pytest.raises(RecipeError, match=r"Poisson sampling.*give the schedule to correct"):
        PrivateStep(noise_multiplier=1.0)(6)
