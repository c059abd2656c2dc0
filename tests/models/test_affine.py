"""Networks for amounts: they begin around the labels and are unchanged where outputs begin at 0."""

import pytest
import torch

from corrigible.data.dataset import TensorData
from corrigible.data.network_facts import model_facts
from corrigible.models import MODELS
from corrigible.models.affine import Affine, affine
from corrigible.protocols.schedule import Schedule, accuracy_on, run

SIZES = {
    "mlp": {"inputs": 6},
    "table_mlp": {"columns": 6},
    "lenet": {"channels": 1},
    "small_cnn": {"channels": 3},
    "alexnet": {"channels": 3, "width": 2, "hidden": 8},
    "text_bag": {"dimension": 6},
    "text_cnn": {"dimension": 6},
}
ROWS = {
    "lenet": (8, 1, 28, 28),
    "small_cnn": (8, 3, 9, 20),
    "alexnet": (8, 3, 9, 20),
    "text_bag": (8, 5, 6),
    "text_cnn": (8, 5, 6),
}


@pytest.mark.parametrize("name", sorted(SIZES))
def test_outputs_are_brought_to_their_centre_and_scale(name):
    x = torch.randn(ROWS.get(name, (8, 6)), generator=torch.Generator().manual_seed(0))
    found = []
    for facts in ({}, {"centre": [100.0, -5.0], "scale": [10.0, 1.0]}):
        torch.manual_seed(0)
        found.append(MODELS[name](**SIZES[name], num_classes=2, **facts).eval()(x))
    plain, moved = found
    torch.testing.assert_close(moved, plain * torch.tensor([10.0, 1.0]) + torch.tensor([100.0, -5.0]))


@pytest.mark.parametrize("name", sorted(SIZES))
def test_a_network_of_classes_has_no_such_step(name):
    network = MODELS[name](**SIZES[name], num_classes=2)
    assert not any(isinstance(module, Affine) for module in network.modules())
    assert affine(0.0, 1.0) == []


def prices(task):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 3, generator=generator)
    return TensorData(x, 12_000 + 3_000 * x[:, 0] + 100 * torch.randn(300, generator=generator), task=task)


def test_the_facts_of_a_network_follow_from_the_task():
    data = prices("amounts")
    facts = model_facts(data)
    assert facts["num_classes"] == 1 and facts["centre"] == pytest.approx(float(data.y.mean()))
    spread = model_facts(prices({"name": "amounts", "heteroscedastic": True}))
    assert spread["num_classes"] == 2 and spread["centre"][1] == 0.0 and spread["scale"][1] == 1.0
    classes = model_facts(TensorData(torch.zeros(3, 2), torch.tensor([0, 1, 2])))
    assert classes == {
        "channels": 2,
        "inputs": 2,
        "columns": 2,
        "dimension": 2,
        "num_classes": 3,
        "output_directions": [],
    }


@pytest.mark.slow
def test_amounts_of_thousands_are_learned_at_the_usual_learning_rate():
    data = prices("amounts")
    facts = model_facts(data)
    torch.manual_seed(0)
    network = MODELS["table_mlp"](columns=3, num_classes=1, centre=facts["centre"], scale=facts["scale"])
    watched = [epoch.validation for epoch in run(network, data, Schedule(epochs=30), validation=accuracy_on(data))]
    assert watched[-1]["share of the variance explained"] > 0.95
