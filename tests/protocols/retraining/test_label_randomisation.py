"""A network that memorises shuffled labels is explained otherwise, but its edges are not."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.models.fresh_weights import untrained
from corrigible.protocols.retraining.label_randomisation import (
    label_randomisation,
    randomising_labels,
    with_shuffled_labels,
)
from corrigible.protocols.schedule import Schedule, run
from corrigible.training import Epoch

X = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()
SETTINGS = {"method": "input_gradient", "epochs": 60, "learning_rate": 0.02, "batch_size": 20}


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 32), nn.SiLU(), nn.Linear(32, 2))
        list(run(model, TensorData(X, Y), Schedule(epochs=30, learning_rate=0.01)))
    return model


def copied_input(model, x, target):
    """An explanation that never looks at the model."""
    return x


def test_the_explanation_changes_when_there_is_nothing_to_learn_but_rows_by_heart(model):
    before = [p.clone() for p in model.parameters()]
    random = torch.get_rng_state()
    found = label_randomisation(model, (X, Y), X[:20], **SETTINGS)
    assert found.accuracy > 0.8
    assert found.comparison.part == "labels"
    assert found.comparison.rank_correlation.value < 0.7
    assert found.comparison.rank_correlation.count == 20
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    assert torch.equal(torch.get_rng_state(), random)


def test_an_explanation_that_never_looked_at_the_model_does_not_change(model):
    found = label_randomisation(model, (X, Y), X[:20], **SETTINGS | {"method": copied_input, "epochs": 1})
    assert found.comparison.signed_rank_correlation.value == pytest.approx(1)


def test_it_is_training_from_fresh_weights_on_shuffled_labels(model):
    shuffled = with_shuffled_labels(TensorData(X, Y), seed=4)
    expected = untrained(model, seed=4)
    schedule = Schedule(epochs=2, batch_size=20, learning_rate=0.02)
    list(run(expected, shuffled, schedule, seed=4))
    running = randomising_labels(model, (X, Y), X, method="input_gradient", schedule=schedule, seed=4)
    told = []
    while True:
        try:
            told.append(next(running))
        except StopIteration as finished:
            found = finished.value
            break
    assert [type(record) for record in told] == [Epoch, Epoch]
    assert torch.equal(found.model[0].weight, expected[0].weight)
    assert found.accuracy == (expected(X).argmax(1) == shuffled.y).double().mean().item()


class Rows:
    """A map-style data set with groups."""

    def __len__(self):
        return 60

    def __getitem__(self, row):
        return X[row], int(Y[row]), row % 3


def test_labels_are_shuffled_and_nothing_else():
    for dataset in (TensorData(X, Y), Rows()):
        shuffled = with_shuffled_labels(dataset, seed=0)
        assert len(shuffled) == 60
        assert sorted(shuffled.y.tolist()) == sorted(Y.tolist())
        assert not torch.equal(shuffled.y, Y)
        assert torch.equal(shuffled[7][0], X[7])
        assert shuffled[7][1] == shuffled.y[7]
        assert torch.equal(with_shuffled_labels(dataset, seed=0).y, shuffled.y)
    assert shuffled[7][2] == 1
    assert shuffled.columns is None


def test_mistakes_are_found_before_training(model):
    with pytest.raises(RecipeError, match="unknown explainer 'saliency'"):
        label_randomisation(model, (X, Y), X, method="saliency", epochs=10**5)
    with pytest.raises(DataError, match="every label is 0"):
        label_randomisation(model, (X, torch.zeros_like(Y)), X, epochs=10**5)
