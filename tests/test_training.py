"""The only training loop: plain training bit for bit, and everything left as it was found."""

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice, repeat

import pytest
import torch
from torch import Tensor, nn

from corrigible.batches import Batches, label_batches
from corrigible.data.dataset import TensorData
from corrigible.errors import (
    FeedbackError,
    NoGradientError,
    RecipeError,
    TrainingDivergedError,
    UnsupportedModelError,
)
from corrigible.losses import cross_entropy
from corrigible.models.modes import evaluating
from corrigible.training import Epoch, fit, plain_step
from corrigible.types import Batch

NUM_ROWS = 20
DATA = TensorData(torch.randn(NUM_ROWS, 4, generator=torch.Generator().manual_seed(0)), torch.arange(NUM_ROWS) * 7 % 3)
BATCHES = label_batches(DATA, 8, seed=1)
L1 = {"score": "summed_log_prob", "norm": "l1"}


def network(*, dropout: float = 0.3, norm: bool = True) -> nn.Sequential:
    """Dropout and BatchNorm: both draw from or write to what lies outside the parameters."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(4, 6),
            nn.BatchNorm1d(6) if norm else nn.Identity(),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(6, 3),
        )


def reviewed_rows(*, repeats: int = 1) -> Batches:
    """The same three rows without end, their first two inputs marked."""
    index = torch.tensor([2, 5, 11]).repeat(repeats)
    irrelevant = torch.tensor([True, True, False, False]).expand(len(index), 4)
    batch = Batch(index, DATA.x[index], DATA.y[index], irrelevant, torch.zeros_like(irrelevant))
    return lambda epoch: repeat(batch)


def trained(
    model: nn.Module, *, epochs: int = 3, rate: float = 0.1, batches: Batches = BATCHES, **settings
) -> list[Epoch]:
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    return list(fit(model, batches, optimizer=optimizer, epochs=epochs, **settings))


def same_state(first: nn.Module, second: nn.Module) -> bool:
    return all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


def plain_loop(model: nn.Module, *, epochs: int, rate: float, seed: int) -> nn.Module:
    """Training as PyTorch's tutorials write it."""
    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    model.train()
    for epoch in range(epochs):
        for batch in BATCHES(epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch.x), batch.y).backward()
            optimizer.step()
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"penalties": {"right_reasons": 0.0, "gradient_size": 0.0}, "reviewed": reviewed_rows()},
        {"penalties": {"right_reasons": lambda epoch: 0.0}, "reviewed": reviewed_rows()},
        {"reviewed": reviewed_rows()},
    ],
    ids=["nothing", "weight 0", "weight always 0", "reviewed rows without penalty"],
)
@pytest.mark.parametrize("seed", [0, 20_240_101])
def test_no_feedback_is_plain_training_bit_for_bit(settings, seed):
    model, expected = network(), network()
    with torch.random.fork_rng():
        plain_loop(expected, epochs=3, rate=0.1, seed=seed)
    trained(model, seed=seed, **settings)
    assert same_state(model, expected)
    assert not same_state(model, network())


def test_a_weighted_penalty_that_never_runs_is_refused():
    """It would teach nothing in silence; the first step is looked at before anything is trained."""
    model = network()
    with pytest.raises(FeedbackError, match="penalty 'right_reasons' never ran: it sees reviewed rows, of which there"):
        trained(model, penalties={"gradient_size": 1.0, "right_reasons": 100.0})
    assert same_state(model, network())


@pytest.mark.parametrize("penalties", [{}, {"right_reasons": 1.0, "gradient_size": 0.5}])
def test_the_seed_decides_everything(penalties):
    results = []
    for seed, noise in ((3, 0), (3, 1), (4, 0)):
        model = network()
        torch.manual_seed(noise)
        epochs = trained(model, seed=seed, penalties=penalties, reviewed=reviewed_rows())
        results.append((model, [replace(epoch, seconds=0.0) for epoch in epochs]))
    assert same_state(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    assert not same_state(results[0][0], results[2][0])


def surroundings(model: nn.Module) -> tuple[list[bool], list[int], list[int]]:
    modules = list(model.modules())
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in modules]
    return [m.training for m in modules], hooks, torch.get_rng_state().tolist()


def mixed_network() -> nn.Sequential:
    model = network().eval()
    model[3].train()
    return model


def training(model: nn.Module, *, batches: Batches = BATCHES, epochs: int = 5) -> Iterator[Epoch]:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    penalties = {"right_reasons": 1.0, "gradient_size": 1.0}
    return fit(model, batches, reviewed=reviewed_rows(), penalties=penalties, optimizer=optimizer, epochs=epochs)


def test_surroundings_are_as_found_between_epochs_and_after_stopping_early():
    model = mixed_network()
    before = surroundings(model)
    run = training(model)
    for _ in islice(run, 2):
        assert surroundings(model) == before
    run.close()
    assert surroundings(model) == before


def test_surroundings_are_as_found_after_an_error_in_a_batch():
    def breaking(epoch: int) -> Iterator[Batch]:
        yield from islice(BATCHES(epoch), 1)
        if epoch == 1:
            raise OSError("the disk is gone")

    model = mixed_network()
    before, run = surroundings(model), training(model, batches=breaking)
    next(run)
    with pytest.raises(OSError, match="the disk is gone"):
        next(run)
    assert surroundings(model) == before


def test_what_the_consumer_draws_between_epochs_changes_nothing():
    model, other = network(), network()
    for _ in training(model):
        pass
    for _ in training(other):
        torch.rand(7)
        other.eval()
    assert same_state(model, other)


def test_the_number_of_epochs_taken_does_not_change_them():
    model, longer = network(), network()
    list(islice(training(model, epochs=2), 2))
    list(islice(training(longer, epochs=5), 2))
    assert same_state(model, longer)


def test_a_scheduled_weight_is_asked_with_the_epoch():
    asked = []

    def weight(epoch: int) -> float:
        asked.append(epoch)
        return [0.0, 2.0, 5.0][epoch]

    epochs = trained(network(), penalties={"right_reasons": weight}, reviewed=reviewed_rows())
    assert set(asked) == {0, 1, 2}
    assert [set(epoch.penalties) for epoch in epochs] == [set(), {"right_reasons"}, {"right_reasons"}]
    assert epochs[0].loss == trained(network(), epochs=1)[0].loss


def sharpness_aware_step(optimizer, objective, *, radius: float = 0.05):
    """Foret et al. 2021: the gradient from the worst place nearby, taken where the step began."""
    parameters = optimizer.param_groups[0]["params"]
    optimizer.zero_grad()
    objective().total.backward()
    norm = torch.stack([p.grad.norm() for p in parameters]).norm()
    climbs = [radius * p.grad / norm for p in parameters]
    with torch.no_grad():
        [p.add_(climb) for p, climb in zip(parameters, climbs, strict=True)]
    optimizer.zero_grad()
    found = objective()
    found.total.backward()
    with torch.no_grad():
        [p.sub_(climb) for p, climb in zip(parameters, climbs, strict=True)]
    optimizer.step()
    return found


def test_a_step_may_ask_for_the_objective_again():
    model, still, plain = (network(dropout=0.0, norm=False) for _ in range(3))
    settings = {"penalties": {"right_reasons": 1.0, "gradient_size": 1.0}, "reviewed": reviewed_rows()}
    epochs = trained(model, step=sharpness_aware_step, **settings)
    trained(plain, **settings)
    trained(still, step=partial(sharpness_aware_step, radius=0.0), **settings)
    assert not torch.allclose(model[0].weight, plain[0].weight)
    torch.testing.assert_close(still[0].weight, plain[0].weight)
    assert len(epochs) == 3
    assert set(epochs[0].penalties) == {"right_reasons", "gradient_size"}


def test_the_objective_is_computed_at_the_parameters_as_they_then_are():
    totals = []

    def step(optimizer, objective):
        totals.append(objective().total.item())
        found = plain_step(optimizer, objective)
        totals.append(objective().total.item())
        return found

    trained(network(dropout=0.0), epochs=1, rate=1e-3, step=step)
    assert all(before > after for before, after in zip(totals[::2], totals[1::2], strict=True))


def test_augment_gets_model_batch_and_generator_and_its_result_is_trained_on():
    seen = []

    def noise(model: nn.Module, batch: Batch, generator: torch.Generator) -> Batch:
        seen.append((model, batch.index.tolist(), generator.initial_seed()))
        return replace(batch, x=batch.x + torch.randn(batch.x.shape, generator=generator))

    def flip(model: nn.Module, batch: Batch, generator: torch.Generator) -> Batch:
        return replace(batch, x=-batch.x)

    model, again, flipped, expected = network(), network(), network(), network()
    trained(model, augment=(noise,))
    assert all(found is model for found, _, _ in seen)
    assert [index for _, index, _ in seen] == [batch.index.tolist() for n in range(3) for batch in BATCHES(n)]
    assert len({seed for _, _, seed in seen}) == len(seen)
    trained(again, augment=(noise,))
    assert same_state(model, again)
    trained(flipped, augment=(flip,))
    mirrored = label_batches(TensorData(-DATA.x, DATA.y), 8, seed=1)
    trained(expected, batches=mirrored)
    assert same_state(flipped, expected)
    trained(twice := network(), augment=(flip, flip))
    trained(plain := network())
    assert same_state(twice, plain)


def test_a_row_of_weight_0_teaches_nothing():
    def weighted(epoch: int) -> Iterator[Batch]:
        for batch in BATCHES(epoch):
            yield replace(batch, weight=(batch.index < 10).float() * (batch.index + 1))

    def spoiled(epoch: int) -> Iterator[Batch]:
        for batch in weighted(epoch):
            yield replace(batch, y=torch.where(batch.index < 10, batch.y, 2 - batch.y))

    model, other = network(), network()
    trained(model, batches=weighted)
    trained(other, batches=spoiled)
    assert same_state(model, other)
    trained(unweighted := network())
    assert not same_state(model, unweighted)


@pytest.mark.parametrize("weight", [1.0, 100.0])
def test_batch_statistics_are_moved_by_label_batches_alone(weight):
    model, expected = network(), network()
    trained(model, rate=0.0, penalties={"right_reasons": weight}, reviewed=reviewed_rows())
    trained(expected, rate=0.0)
    assert all(map(torch.equal, model.buffers(), expected.buffers()))
    assert not torch.equal(model[1].running_mean, network()[1].running_mean)


def test_a_loss_that_is_not_a_number_stops_the_training_and_names_the_part():
    def spoiled(epoch: int) -> Iterator[Batch]:
        for place, batch in enumerate(BATCHES(epoch)):
            yield replace(batch, x=batch.x * torch.nan) if (epoch, place) == (1, 0) else batch

    model = network()
    run = training(model, batches=spoiled)
    next(run)
    state = copy.deepcopy(model[0].state_dict())
    with pytest.raises(TrainingDivergedError, match=r"label loss nan, .*gradient_size nan"):
        next(run)
    assert all(map(torch.equal, model[0].state_dict().values(), state.values()))


def test_an_epoch_records_the_means_computed_by_hand():
    """At learning rate 0 every step sees the same network."""
    model = network(dropout=0.0, norm=False)
    settings = {"right_reasons": {"weight": 2.0, **L1}, "gradient_size": 1.0}
    epochs = trained(model, rate=0.0, epochs=2, penalties=settings, reviewed=reviewed_rows())
    rows, x = next(reviewed_rows()(0)), DATA.x.clone().requires_grad_()
    losses = nn.functional.cross_entropy(model(x), DATA.y, reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    marked = rows.x.clone().requires_grad_()
    (reasons,) = torch.autograd.grad(model(marked).log_softmax(1).sum(), marked)
    for number, epoch in enumerate(epochs):
        sizes = [gradient[batch.index].square().mean().item() for batch in BATCHES(number)]
        assert (epoch.number, epoch.num_epochs) == (number + 1, 2)
        assert math.isclose(epoch.loss, losses.mean().item(), rel_tol=1e-5)
        assert math.isclose(epoch.penalties["gradient_size"], sum(sizes) / len(sizes), rel_tol=1e-5)
        assert math.isclose(epoch.penalties["right_reasons"], reasons[:, :2].abs().mean().item(), rel_tol=1e-5)
        assert epoch.seconds > 0
    assert epochs[0].validation == {}


def test_validation_is_reported_and_changes_nothing():
    def hits(model: nn.Module) -> dict[str, float]:
        torch.rand(3)
        with evaluating(model), torch.no_grad():
            return {"hits": float((model(DATA.x).argmax(1) == DATA.y).sum())}

    model, plain = network(), network()
    epochs = trained(model, validation=hits)
    trained(plain)
    assert same_state(model, plain)
    assert epochs[-1].validation == hits(model)


def test_penalties_are_means_so_that_repeated_rows_leave_the_step_unchanged():
    model, repeated = network(dropout=0.0), network(dropout=0.0)
    penalties = {"right_reasons": 5.0}
    trained(model, penalties=penalties, reviewed=reviewed_rows())
    trained(repeated, penalties=penalties, reviewed=reviewed_rows(repeats=2))
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, repeated.state_dict()[name])


def test_a_penalty_lowers_what_it_penalises():
    def size(model: nn.Module) -> Tensor:
        x = DATA.x[[2, 5, 11]].requires_grad_()
        with evaluating(model):
            return torch.autograd.grad(model(x).log_softmax(1).sum(), x)[0][:, :2].square().mean()

    model, plain = network(), network()
    trained(model, epochs=20, rate=0.01, penalties={"right_reasons": 10.0}, reviewed=reviewed_rows())
    trained(plain, epochs=20, rate=0.01)
    assert size(model) < size(plain) / 10


@pytest.mark.parametrize("weight", [1.0, lambda epoch: float(epoch)], ids=["at once", "from the second epoch"])
def test_a_penalty_that_reaches_no_parameter_is_refused_before_the_first_step(weight):
    model = network()
    model.requires_grad_(False)
    bias = nn.Parameter(torch.zeros(3))
    run = fit(
        model,
        BATCHES,
        reviewed=reviewed_rows(),
        penalties={"right_reasons": weight},
        optimizer=torch.optim.SGD([bias], 0.1),
        epochs=2,
    )
    with pytest.raises(NoGradientError, match="right_reasons"):
        next(run)
    assert same_state(model, network())


def test_a_misspelt_penalty_is_refused():
    with pytest.raises(RecipeError, match="did you mean 'gradient_size'"):
        trained(network(), penalties={"gradiant_size": 1.0})


def test_another_loss_is_followed():
    def flat(forward, batch):
        return cross_entropy(forward, batch) * 0.5

    model, half = network(), network()
    trained(model, loss=flat)
    trained(half, rate=0.05)
    torch.testing.assert_close(model[4].weight, half[4].weight)


def test_steps_that_ruin_the_model_without_nan_are_refused_and_the_rate_named():
    with pytest.raises(TrainingDivergedError, match=r"far worse.*lower the learning rate .it is 1e\+06"):
        trained(network(), rate=1e6, epochs=1)


def test_probabilities_are_not_trained_on():
    with pytest.raises(UnsupportedModelError, match="gives probabilities"):
        trained(nn.Sequential(network(), nn.Softmax(1)))
