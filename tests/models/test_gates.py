"""Hard concrete gates on units and inputs."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.data.dataset import as_dataset
from corrigible.errors import UnsupportedModelError
from corrigible.losses import cross_entropy
from corrigible.models import mlp, with_gates, without_gates
from corrigible.models.forward import Forward
from corrigible.models.gates import HIGH, LOW, TEMPERATURE, Gated
from corrigible.penalties import l0_norm
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Batch
from finite_differences import require_slope

X = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
BATCH = Batch(torch.arange(6), X, torch.tensor([0, 1, 1, 0, 1, 0]))
ALPHAS = torch.tensor([-4.0, -1.0, 0.3, 1.5])


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mlp(4, 2, hidden=(4, 3)).double().eval()


def gated(of="units"):
    model = with_gates(network(), ["1"], of=of)
    with torch.no_grad():
        model.get_submodule("1").log_alpha.copy_(ALPHAS)
    return model


@pytest.mark.parametrize("of", ["units", "inputs"])
def test_open_gates_change_nothing_and_the_given_model_stays(of):
    model = network()
    state = list(model.state_dict())
    torch.testing.assert_close(with_gates(model, ["1", "3", "5"], of=of)(X), model(X))
    assert list(model.state_dict()) == state


@pytest.mark.parametrize("of", ["units", "inputs"])
def test_a_gate_in_eval_mode_is_by_its_definition(of):
    model, plain = gated(of), network()
    gates = [min(1, max(0, (HIGH - LOW) / (1 + math.exp(-a)) + LOW)) for a in ALPHAS.tolist()]
    assert gates[0] == 0
    gates = torch.tensor(gates, dtype=torch.float64)
    first = plain[1](X) * gates if of == "units" else plain[1](X * gates)
    torch.testing.assert_close(model(X), plain[2:](first))


def test_a_drawn_gate_is_open_as_often_as_the_penalty_says():
    model = gated().train()
    layer, count = model.get_submodule("1"), 4000
    batch = Batch(torch.arange(count), torch.ones(count, 4).double(), torch.zeros(count, dtype=torch.long))
    forward = Forward(model, batch)
    drawn = forward.activation("1") / forward.activation("1.layer")
    by_definition = [1 / (1 + math.exp(TEMPERATURE * math.log(-LOW / HIGH) - a)) for a in ALPHAS.tolist()]
    assert layer.open_probs().tolist() == pytest.approx(by_definition)
    assert l0_norm(forward, batch).item() == pytest.approx(math.fsum(by_definition) / 4)
    shares = (drawn > 0).double().mean(dim=0)
    assert (shares - layer.open_probs()).abs().max() < 4 * math.sqrt(0.25 / count)
    assert drawn.min() == 0 and drawn.max() == 1
    # The uniform number a half gives the median.
    medians = [min(1, max(0, (HIGH - LOW) / (1 + math.exp(-a / TEMPERATURE)) + LOW)) for a in ALPHAS.tolist()]
    assert drawn.median(dim=0).values.tolist() == pytest.approx(medians, abs=0.03)


def test_a_draw_belongs_to_its_row_and_convolutions_gate_channels():
    model = with_gates(nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.Conv2d(3, 2, 2)).double(), ["0"])
    model = nn.Sequential(with_gates(model, ["2"], of="inputs"), nn.Flatten())
    x = torch.randn(4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.arange(4), x, torch.zeros(4, dtype=torch.long))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, Gated):
                module.log_alpha.fill_(0.0)
    turned = replace(batch, x=x.flip(0), index=batch.index.flip(0))
    found, other = (Forward(model.train(), each, seed=3) for each in (batch, turned))
    torch.testing.assert_close(other.outputs.flip(0), found.outputs)
    assert not torch.allclose(Forward(model, batch, seed=4).outputs, found.outputs)
    drawn = found.activation("0.0") / found.activation("0.0.layer")
    torch.testing.assert_close(drawn, drawn[:, :, :1, :1].expand_as(drawn))
    assert len(drawn[:, :, 0, 0].unique()) > 6


def test_gradients_of_drawn_gates_equal_finite_differences():
    model = with_gates(gated("inputs"), ["3"]).train()

    def value(of, differentiable=False):
        forward = Forward(of, BATCH, seed=2)
        found = cross_entropy(forward, BATCH).mean() + l0_norm(forward, BATCH)
        return found if differentiable else found.detach()

    require_slope(model, value)


def test_without_gates_the_weights_give_the_same():
    model = with_gates(with_gates(gated("inputs"), ["1.layer", "3"]), ["5"], of="inputs")
    convolution = with_gates(nn.Sequential(nn.Conv2d(2, 3, 2), nn.Flatten()).double().eval(), ["0"])
    convolution = with_gates(convolution, ["0.layer"], of="inputs")
    image = torch.randn(2, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for gated_model, x in ((model, X), (convolution, image)):
        with torch.no_grad():
            for number, name in enumerate(name for name, _ in gated_model.named_parameters() if "alpha" in name):
                parameter = gated_model.get_parameter(name)
                parameter.copy_(torch.linspace(-3 - number, 2, len(parameter)))
        plain = without_gates(gated_model)
        assert not any(isinstance(module, Gated) for module in plain.modules())
        torch.testing.assert_close(plain(x), gated_model(x))
    assert list(without_gates(model).state_dict()) == list(network().state_dict())


def test_gates_of_inputs_that_say_nothing_close():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 10, generator=generator)
    y = (x[:, 0] - x[:, 1] > 0).long()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = with_gates(mlp(10, 2, hidden=(16,)), ["1"], of="inputs")
    schedule = Schedule(epochs=30, batch_size=50, learning_rate=0.03)
    for _ in run(model, as_dataset((x, y)), schedule, penalties={"l0_norm": 0.5}):
        pass
    gates = model.eval().get_submodule("1").values()
    assert (gates[2:] == 0).all() and (gates[:2] > 0.5).all()
    assert (without_gates(model)(x).argmax(1) == y).float().mean() > 0.95


def test_what_does_not_fit_is_refused():
    grouped = nn.Sequential(nn.Conv2d(2, 4, 1, groups=2))
    for model, layer, message in (
        (network(), "7", "no layer '7'; this model has 0, 1, 2"),
        (network(), "2", "layer '2' is a ReLU; gates fit a Linear or Conv layer"),
        (grouped, "0", "a convolution in groups"),
    ):
        with pytest.raises(UnsupportedModelError, match=message):
            with_gates(model, [layer], of="inputs")
    with pytest.raises(UnsupportedModelError, match="Sequential without gates; give it some"):
        without_gates(network())
