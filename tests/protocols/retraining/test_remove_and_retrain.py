"""Taking away what a network used costs accuracy; taking away what it did not use costs none."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.protocols.retraining.remove_and_retrain import Retrained, remove_and_retrain, removing_and_retraining
from corrigible.protocols.schedule import Schedule, run
from corrigible.training import Epoch
from corrigible.types import Columns

X = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
Y = (X[:, 2] > 0).long()
TRAIN, TEST = (X[:120], Y[:120]), (X[120:], Y[120:])
SETTINGS = {"method": "gradient_x_input", "epochs": 8, "learning_rate": 0.05, "batch_size": 20}


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, 2))
        list(run(model, TensorData(*TRAIN), Schedule(epochs=20, learning_rate=0.02, batch_size=20)))
    return model


def found(model, shares=(0.0, 0.2), **settings):
    return {
        (r.ranking, r.share): r.accuracy
        for r in remove_and_retrain(model, TRAIN, TEST, shares=shares, **SETTINGS | settings)
    }


def only(column):
    """Explains by one column alone."""
    return lambda model, x, target: torch.eye(5)[column].expand_as(x)


def test_without_what_tells_the_label_nothing_can_be_learned(model):
    accuracy = found(model, method=only(2))
    assert accuracy["explained", 0.0] == accuracy["random", 0.0] > 0.95
    assert accuracy["explained", 0.2] < 0.65
    assert accuracy["random", 0.2] > 0.75


def test_without_what_tells_nothing_all_can_be_learned(model):
    assert found(model, method=only(0))["explained", 0.2] > 0.9


def test_the_models_own_explanations_find_what_it_uses(model):
    accuracy = found(model, shares=[0.2])
    assert accuracy["explained", 0.2] < accuracy["random", 0.2] - 0.1


def test_it_trains_and_tests_on_rows_in_which_the_most_attributed_inputs_are_the_mean(model, monkeypatch):
    trained, tested = [], []
    monkeypatch.setattr(
        "corrigible.protocols.retraining.remove_and_retrain.run",
        lambda fresh, data, *a, **k: trained.append(data.x) or iter(()),
    )
    monkeypatch.setattr(
        "corrigible.protocols.retraining.remove_and_retrain.mean_quality",
        lambda fresh, data: tested.append(data.x) or 0.0,
    )
    remove_and_retrain(model, TRAIN, TEST, shares=[0.4], method=lambda model, x, target: x)
    for (before, _), (explained, random) in ((TRAIN, trained), (TEST, tested)):
        expected = before.clone()
        for row in expected:
            largest = row.abs().argsort(descending=True)[:2]
            row[largest] = TRAIN[0].mean(dim=0)[largest]
        assert torch.equal(explained, expected)
        replaced = random != before
        assert (replaced.sum(dim=1) == 2).all()
        assert all(1 / 6 < share < 2 / 3 for share in replaced.double().mean(dim=0).tolist())


def test_pixels_and_features_go_whole(model, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "corrigible.protocols.retraining.remove_and_retrain.run",
        lambda fresh, data, *a, **k: seen.append(data.x) or iter(()),
    )
    table = TensorData(*TRAIN, columns=Columns(tuple("abcde"), tuple("aabbb"), (False,) * 5))
    remove_and_retrain(model, table, table, shares=[0.5], baseline=9.0, method=lambda model, x, target: x)
    for x in seen:
        assert {tuple(row) for row in (x == 9).tolist()} == {(True,) * 2 + (False,) * 3, (False,) * 2 + (True,) * 3}
    images = torch.randn(6, 2, 2, 2), torch.tensor([0, 1] * 3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
    seen.clear()
    remove_and_retrain(network, images, images, shares=[0.25], method=lambda model, x, target: x)
    mean = images[0].mean(dim=(0, 2, 3))
    for x in seen:
        changed = x != images[0]
        assert torch.equal(changed[:, 0], changed[:, 1])
        assert changed[:, 0].flatten(1).sum(dim=1).tolist() == [1] * 6
        assert torch.equal(x[:, 1][changed[:, 1]], mean[1].expand(6))


def test_it_is_told_as_it_goes_and_leaves_the_model_alone(model):
    weights, state = [p.clone() for p in model.parameters()], torch.get_rng_state()
    told = list(
        removing_and_retraining(
            model, TRAIN, TEST, method="input_gradient", shares=[0.0, 0.4], schedule=Schedule(epochs=2)
        )
    )
    kinds = [type(record) for record in told]
    assert kinds == [Epoch, Epoch, Retrained, Retrained, *[Epoch, Epoch, Retrained] * 2]
    assert all(torch.equal(p, before) for p, before in zip(model.parameters(), weights, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_seed_gives_the_same_accuracies(model):
    assert found(model, epochs=1) == found(model, epochs=1)


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(RecipeError, match="share is 1.5"):
        remove_and_retrain(model, TRAIN, TEST, shares=[1.5])
    with pytest.raises(DataError, match=r"a test row has shape \(4,\); expected \(5,\)"):
        remove_and_retrain(model, TRAIN, (X[:, :4], Y))
    with pytest.raises(RecipeError, match="unknown explainer"):
        remove_and_retrain(model, TRAIN, TEST, method="inputgradient")
