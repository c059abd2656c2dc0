"""Baselines without feedback: each against its definition, and on a decoy that misleads the rare groups."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corrigible.data.dataset import TensorData, all_rows
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.models.bayes.converting import bayesian, bayesian_layers
from corrigible.models.bayes.divergence import kl_of
from corrigible.models.forward import Forward
from corrigible.protocols.baselines.group_dro import GroupWeightedLoss, group_dro
from corrigible.protocols.baselines.just_train_twice import errors_of, just_train_twice
from corrigible.protocols.baselines.label_groups import label_groups
from corrigible.protocols.baselines.last_layer_retraining import balanced, last_layer_retraining
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Batch

SCHEDULE = Schedule(epochs=10, batch_size=50, learning_rate=0.01)


def rows(num_rows: int, share: float, seed: int) -> TensorData:
    """The first input is the label with noise; the second is the group, which is the label in this share of rows."""
    draws = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (num_rows,), generator=draws)
    group = torch.where(torch.rand(num_rows, generator=draws) < share, y, 1 - y)
    noise = torch.randn(num_rows, 2, generator=draws)
    x = torch.stack([2.0 * y - 1 + 0.7 * noise[:, 0], 3 * (2.0 * group - 1) + 0.1 * noise[:, 1]], dim=1)
    return TensorData(x, y, group)


TRAIN, HELD_OUT, TEST = rows(600, 0.95, 0), rows(300, 0.9, 1), rows(800, 0.5, 2)


class Mapped:
    """The same rows, one by one."""

    def __init__(self, data: TensorData) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, row: int) -> tuple:
        return self.data[row]


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))


def returned(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def worst_group_accuracy(model: nn.Module) -> float:
    model.eval()
    right = (model(TEST.x).argmax(1) == TEST.y).float()
    groups = label_groups(TEST)
    return min(float(right[groups == group].mean()) for group in range(4))


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    model = network()
    for _ in run(model, TRAIN, SCHEDULE):
        pass
    return model


def test_each_baseline_predicts_the_worst_group_better_than_plain_training(plain):
    twice = {"identification_epochs": 2, "upweight": 20}
    found = {
        "group_dro": returned(group_dro(network(), TRAIN, schedule=SCHEDULE, step_size=0.3)),
        "just_train_twice": returned(just_train_twice(network(), TRAIN, schedule=SCHEDULE, **twice)),
        "last_layer_retraining": returned(
            last_layer_retraining(plain, HELD_OUT, schedule=replace(SCHEDULE, epochs=80))
        ),
    }
    before = worst_group_accuracy(plain)
    gains = {name: worst_group_accuracy(model) - before for name, model in found.items()}
    assert before < 0.7
    assert min(gains.values()) > 0.1, (before, gains)


def test_label_groups_number_the_pairs_that_occur():
    data = TensorData(torch.zeros(5, 1), torch.tensor([0, 2, 0, 2, 2]), torch.tensor([7, 7, 9, 7, 9]))
    assert label_groups(data).tolist() == [0, 2, 1, 2, 3]
    assert label_groups(Mapped(data)).tolist() == [0, 2, 1, 2, 3]
    assert label_groups(replace(data, group=None)) is None


def test_the_weights_and_the_loss_are_those_of_the_algorithm_written_out():
    model, groups = network().double().eval(), torch.tensor([0, 0, 1, 2, 1, 0])
    x, y = torch.randn(6, 2, dtype=torch.float64), torch.tensor([0, 1, 0, 1, 0, 1])
    loss, weights = GroupWeightedLoss(groups, 0.5), [1 / 3] * 3
    for chosen in ([0, 1, 2, 5], [4, 3, 0], [5, 1]):
        batch = Batch(torch.tensor(chosen), x[chosen], y[chosen])
        found = loss(Forward(model, batch), batch)
        means = {}
        for group in range(3):
            members = [row for row in chosen if groups[row] == group]
            if members:
                means[group] = float(cross_entropy(model(x[members]), y[members]).detach())
                weights[group] *= math.exp(0.5 * means[group])
        weights = [weight / sum(weights) for weight in weights]
        assert loss.weights.tolist() == pytest.approx(weights)
        assert float(found.mean().detach()) == pytest.approx(sum(weights[g] * mean for g, mean in means.items()))


def test_group_dro_leaves_the_model_alone_and_needs_groups(plain):
    before = [value.clone() for value in plain.state_dict().values()]
    steps = group_dro(plain, Mapped(TRAIN), schedule=replace(SCHEDULE, epochs=1))
    assert len(list(steps)) == 1
    assert all(torch.equal(value, old) for value, old in zip(plain.state_dict().values(), before, strict=True))
    with pytest.raises(DataError, match="needs the group of every row"):
        next(group_dro(plain, (TRAIN.x, TRAIN.y), schedule=SCHEDULE))
    with pytest.raises(RecipeError, match="step_size is -1"):
        next(group_dro(plain, TRAIN, schedule=SCHEDULE, step_size=-1.0))


def test_the_errors_are_the_rows_predicted_wrong_one_by_one(plain):
    plain.eval()
    expected = [row for row in range(len(TRAIN)) if int(plain(TRAIN.x[row : row + 1]).argmax()) != int(TRAIN.y[row])]
    plain.train()
    assert errors_of(plain, TRAIN).tolist() == errors_of(plain, Mapped(TRAIN)).tolist() == expected
    assert plain.training
    assert 0 < len(expected) < 100


def test_the_second_copy_sees_the_errors_of_the_first_as_often_as_asked():
    short = replace(SCHEDULE, epochs=3)
    first = network()
    for _ in run(first, TRAIN, replace(short, epochs=1), seed=4):
        pass
    wrong = errors_of(first, TRAIN)
    index = torch.cat([torch.arange(len(TRAIN)), wrong, wrong])
    second = network()
    repeated = TensorData(TRAIN.x[index], TRAIN.y[index], TRAIN.group[index])
    for _ in run(second, repeated, replace(short, epochs=2), seed=4):
        pass
    for data in (TRAIN, Mapped(TRAIN)):
        found = returned(just_train_twice(network(), data, schedule=short, upweight=3, seed=4))
        assert torch.equal(found[0].weight, second[0].weight)
    assert len(list(just_train_twice(network(), TRAIN, schedule=short))) == 3
    with pytest.raises(RecipeError, match="identification_epochs is 3; expected 1 to 2"):
        next(just_train_twice(network(), TRAIN, schedule=short, identification_epochs=3))


def test_only_the_last_layer_changes_and_it_learns_from_as_many_rows_of_each_group(plain):
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    found = returned(last_layer_retraining(plain, HELD_OUT, schedule=replace(SCHEDULE, epochs=2)))
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())
    changed = {name for name, value in found.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"4.weight", "4.bias"}
    groups = label_groups(HELD_OUT)
    counts = groups[balanced(groups, 0)].bincount()
    assert counts.tolist() == [int(groups.bincount().min())] * 4
    assert all_rows(HELD_OUT).y[balanced(HELD_OUT.y, 0)].bincount().unique().numel() == 1


def test_without_groups_the_last_layer_learns_from_as_many_rows_of_each_class(plain):
    skewed = TensorData(TEST.x[:60], torch.tensor([0] * 50 + [1] * 10))
    seen = balanced(skewed.y, 3)
    layer_sees = TensorData(plain.eval()[:4](skewed.x[seen]).detach(), skewed.y[seen])
    found = returned(last_layer_retraining(plain, skewed, schedule=SCHEDULE, seed=3))
    torch.manual_seed(3)
    layer = nn.Linear(8, 2)
    for _ in run(layer, layer_sees, SCHEDULE, seed=3):
        pass
    assert torch.allclose(found[4].weight, layer.weight)


def test_a_model_that_does_not_end_in_a_linear_layer_is_refused():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with pytest.raises(UnsupportedModelError, match="not that of a linear layer"):
        next(last_layer_retraining(model, TEST, schedule=SCHEDULE))


def test_masking_a_column_is_dropping_it_neither_learning_nor_prediction_depends_on_it():
    first, second = (MaskedInputs(network(), [2]) for _ in range(2))
    other = torch.cat([TRAIN.x[:, :1], torch.randn(len(TRAIN), 1) * 50], dim=1)
    for model, x in ((first, TRAIN.x), (second, other)):
        model.hide(torch.tensor([False, True]))
        for _ in run(model, replace(TRAIN, x=x), replace(SCHEDULE, epochs=2)):
            pass
        model.eval()
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert torch.equal(first(TRAIN.x), second(other))
    assert not torch.equal(first(TRAIN.x), first(TRAIN.x + torch.tensor([1.0, 0.0])))


@pytest.mark.parametrize("baseline", [group_dro, just_train_twice, last_layer_retraining])
@pytest.mark.every(3)
def test_a_baseline_of_a_bayesian_network_keeps_its_divergence(baseline):
    """Of the last layer, which all of them train."""
    start = bayesian(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)), prior_std=0.5)
    how = Schedule(epochs=8, batch_size=10, learning_rate=0.05)
    few, divergence = rows(120, 0.7, 0), {"kl_divergence": {"weight": 10.0}}
    kept, lost = (returned(baseline(start, few, schedule=how, penalties=p)) for p in (divergence, None))
    assert divergence_of(kept) < 0.6 * divergence_of(lost)


def divergence_of(model: nn.Module) -> float:
    return float(kl_of(bayesian_layers(model)[-1][1]).detach())
