"""Replayed runs against the only training loop, and their derivatives against finite differences of true runs."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from corrigible import Feedback, TensorData
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.feedback.masks import marks_of
from corrigible.protocols.careful import careful_step
from corrigible.protocols.influence import recorded_run
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influenced import pearson
from corrigible.protocols.influence.recorded_run import spacing_of
from corrigible.protocols.influence.replay import Taught, replayed
from corrigible.protocols.influence.verify import verify
from corrigible.protocols.schedule import Schedule, run
from fitted import rows

X, Y = rows(40)
DATA = TensorData(X, Y)
QUERY = rows(4, seed=1)
SHORT = Schedule(epochs=3, batch_size=16, learning_rate=0.05)


def start(activation=nn.Tanh):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), activation(), nn.Linear(5, 2)).double()


def trained(network, schedule, data=DATA, **taught):
    model = copy.deepcopy(network)
    for _ in run(model, data, schedule, seed=2, **taught):
        pass
    return model


SCHEDULES = {
    "sgd": replace(SHORT, optimizer="SGD", weight_decay=0.1),
    "momentum": replace(SHORT, optimizer=partial(torch.optim.SGD, momentum=0.9, dampening=0.2), weight_decay=0.1),
    "nesterov": replace(SHORT, optimizer=partial(torch.optim.SGD, momentum=0.9, nesterov=True)),
    "adam": replace(SHORT, weight_decay=0.1),
    "adamw": replace(SHORT, optimizer="AdamW", weight_decay=0.1),
    "careful": replace(SHORT, step="careful"),
    "focal": replace(SHORT, loss="focal"),
    "representative": replace(SHORT, representative=True),
}


def losses(model):
    return cross_entropy(model(QUERY[0]), QUERY[1], reduction="none").detach()


def counting(schedule, counts):
    """The schedule, with each row's loss times its count."""
    loss = schedule.label_loss
    return replace(schedule, loss=lambda forward, batch: loss(forward, batch) * counts[batch.index])


def by_differences(network, schedule, row, *, size=1e-4, data=DATA, **taught):
    ends = []
    for sign in (1, -1):
        counts = torch.ones(len(data), dtype=torch.float64)
        counts[row] += sign * size
        ends.append(losses(trained(network, counting(schedule, counts), data, **taught)))
    return (ends[1] - ends[0]) / (2 * size)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_replay_ends_where_training_does_and_its_slope_is_that_of_true_runs(name):
    schedule, network = SCHEDULES[name], start()
    model = trained(network, schedule)
    run_again = replayed(Taught(network, DATA, schedule, 2))
    assert torch.allclose(run_again.theta, parameters_to_vector(model.parameters()).detach(), atol=1e-12)
    query = QUERY
    if name == "focal":  # Queries have the label loss that was trained with.
        query = lambda model: cross_entropy(model(QUERY[0]), QUERY[1], reduction="none")  # noqa: E731
    found = influence(model, DATA, query, method="replay", schedule=schedule, start=network, seed=2)
    for row in (0, 13):
        assert torch.allclose(found.values[:, row], by_differences(network, schedule, row), rtol=1e-4, atol=1e-8)
    assert found.difference < 1e-12 and found.damping is None and found.is_smooth


def test_kinks_are_said():
    network = start(nn.ReLU)
    found = influence(trained(network, SHORT), DATA, QUERY, method="replay", schedule=SHORT, start=network, seed=2)
    assert not found.is_smooth and "kinks (relu)" in found.warnings[0]


def test_single_precision_ends_where_training_does_to_rounding():
    network, data = start().float(), TensorData(X.float(), Y)
    model = trained(network, SHORT, data)
    run_again = replayed(Taught(network, data, SHORT, 2))
    assert torch.allclose(run_again.theta, parameters_to_vector(model.parameters()).detach(), atol=1e-6)


def test_row_weights_count():
    network, weight = start(), torch.linspace(0.2, 2.0, 40, dtype=torch.float64)
    data = TensorData(X, Y, weight=weight)
    model = trained(network, SHORT, data)
    found = influence(model, data, QUERY, method="replay", schedule=SHORT, start=network, seed=2)
    assert torch.allclose(found.values[:, 7], by_differences(network, SHORT, 7, data=data), rtol=1e-4, atol=1e-8)


def test_a_correction_is_replayed_with_its_penalties():
    network = start()
    feedback = [Feedback(torch.tensor([False, False, True]), row=row) for row in (1, 4, 6)]
    asked = {"penalties": {"right_reasons": 0.5}, "feedback": feedback}
    taught = {"penalties": asked["penalties"], "marks": marks_of(feedback, DATA), "step": careful_step}
    model = trained(network, SHORT, **taught)
    found = influence(model, DATA, QUERY, method="replay", schedule=SHORT, start=network, seed=2, **asked)
    assert torch.allclose(found.values[:, 4], by_differences(network, SHORT, 4, **taught), rtol=1e-4, atol=1e-8)
    with pytest.raises(UnsupportedModelError, match="ends at other weights than the model's"):
        influence(model, DATA, QUERY, method="replay", schedule=SHORT, start=network, seed=2)


def test_few_checkpoints_give_the_same_as_all(monkeypatch):
    network = start()
    model = trained(network, SHORT)
    asked = {"method": "replay", "schedule": SHORT, "start": network, "seed": 2}
    all_kept = influence(model, DATA, QUERY, **asked).values
    monkeypatch.setattr(recorded_run, "MOST_BYTES", 1)
    assert spacing_of(9, 8) == 3
    assert torch.equal(influence(model, DATA, QUERY, **asked).values, all_kept)


@pytest.mark.parametrize(("num_steps", "most_bytes", "spacing"), [(100, 100, 1), (100, 51, 2), (100, 1, 10), (1, 1, 1)])
def test_as_many_checkpoints_are_kept_as_fit(monkeypatch, num_steps, most_bytes, spacing):
    monkeypatch.setattr(recorded_run, "MOST_BYTES", most_bytes + 1)
    assert spacing_of(num_steps, 1) == spacing


def test_one_query_is_as_it_is_among_several():
    network = start()
    model = trained(network, SHORT)
    asked = {"method": "replay", "schedule": SHORT, "start": network, "seed": 2}
    each = [influence(model, DATA, (QUERY[0][[q]], QUERY[1][[q]]), **asked).values[0] for q in range(4)]
    assert torch.allclose(torch.stack(each), influence(model, DATA, QUERY, **asked).values)


def test_verify_trains_without_each_row():
    network = start()
    model = trained(network, SHORT)
    asked = {"schedule": SHORT, "start": network, "seed": 2}
    found = influence(model, DATA, QUERY, method="replay", **asked)
    checked = verify(found, DATA, QUERY, rows=[3, 8, 30], **asked)
    counts = torch.ones(40).double()
    counts[8] = 0
    expected = losses(trained(network, counting(SHORT, counts))) - losses(model)
    assert torch.allclose(checked.truth[:, 1], expected)
    assert checked.correlation == pytest.approx(pearson(found.values[:, [3, 8, 30]], checked.truth))
    assert checked.correlation > 0.95 and "Pearson correlation with retraining without 3 rows: 0.9" in str(checked)
    chosen = verify(found, DATA, QUERY, rows=3, **asked)
    mean = found.values.mean(dim=0)
    assert (chosen.rows[0], chosen.rows[-1]) == (int(mean.argmax()), int(mean.argmin()))
    with pytest.raises(RecipeError, match="expected 40 on 3"):
        verify(found, DATA, (QUERY[0][:3], QUERY[1][:3]), **asked)


def test_the_start_and_the_model_are_left_as_they_are():
    network = start()
    model = trained(network, SHORT)
    before = [copy.deepcopy(part.state_dict()) for part in (network, model)]
    state = torch.get_rng_state()
    influence(model, DATA, QUERY, method="replay", schedule=SHORT, start=network, seed=2)
    for part, values in zip((network, model), before, strict=True):
        assert all(torch.equal(value, values[name]) for name, value in part.state_dict().items())
        assert all(p.requires_grad for p in part.parameters())
    assert all(p.grad is None for p in network.parameters())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"start": None}, RecipeError, "give schedule=… and start=…"),
        ({"nearest": 3}, RecipeError, "leave out nearest"),
        ({"seed": 3}, UnsupportedModelError, "ends at other weights than the model's"),
        ({"schedule": replace(SHORT, optimizer="RMSprop")}, RecipeError, "RMSprop cannot be replayed; expected SGD"),
        (
            {"schedule": replace(SHORT, optimizer=partial(torch.optim.Adam, amsgrad=True))},
            RecipeError,
            "Adam with amsgrad cannot be replayed",
        ),
        ({"schedule": replace(SHORT, step=lambda num_steps: None)}, RecipeError, "cannot be replayed; expected plain"),
        ({"start": nn.Linear(3, 2).double()}, UnsupportedModelError, "start has 8 trainable weights and the model 32"),
    ],
)
def test_what_cannot_be_replayed_is_refused(changes, error, message):
    network = start()
    model = trained(network, SHORT)
    asked = {"method": "replay", "schedule": SHORT, "start": network, "seed": 2, **changes}
    with pytest.raises(error, match=message):
        influence(model, DATA, QUERY, **asked)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Dropout(0.5), "draws at random in training"),
        (nn.BatchNorm1d(5), "rows mix"),
        (nn.InstanceNorm1d(5, track_running_stats=True), "keeps running statistics"),
    ],
)
def test_networks_whose_training_is_not_of_each_row_are_refused(layer, message):
    network = start()
    network.insert(1, layer.double())
    with pytest.raises(UnsupportedModelError, match=message):
        replayed(Taught(network, DATA, SHORT, 2))
