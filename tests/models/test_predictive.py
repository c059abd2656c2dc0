"""What a model predicts over several passes, and how uncertain it is."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from corrigible.errors import UnsupportedModelError
from corrigible.models import normal_like, tabm
from corrigible.models.bayes import bayesian
from corrigible.models.bayes.drawing import weight_draw
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.ensemble import Ensemble, disagreement
from corrigible.models.predictive import Predictive, predictive
from corrigible.models.temperature import TemperatureScaled
from corrigible.tasks import amounts


def network(*between: nn.Module, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), *between, nn.Linear(6, 3)).double()


class Functional(nn.Module):
    """Calls dropout as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(self.inner(x), 0.3, self.training)


class Noisy(nn.Module):
    """A layer of a user's own that draws."""

    def forward(self, x: Tensor) -> Tensor:
        return x + normal_like(x, name="mine")


MODELS = {
    "bayesian": lambda: bayesian(network(), prior_std=2.0, start="prior"),
    "dropout": lambda: network(nn.Dropout(0.5)),
    "functional dropout": Functional,
    "own draws": lambda: network(Noisy()),
    "deep ensemble": lambda: Ensemble([bayesian(network(seed=seed)) for seed in range(3)]),
    "tabm": lambda: tabm(
        [False] * 4, 3, knots=[[-1.0, 0.0, 1.0]] * 4, members=3, hidden=(5,), embedding=2, dropout=0.5
    ).double(),
}
X = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", MODELS)
def test_each_sample_is_one_network_for_all_rows(kind):
    """Neither the order of rows nor their division changes anything, nor what was drawn before."""
    torch.manual_seed(1)
    model = MODELS[kind]()
    found = predictive(model, X, samples=4)
    assert len(found.passes) == 4 * {"deep ensemble": 3, "tabm": 3}.get(kind, 1)
    assert all(not torch.allclose(found.passes[0], other) for other in found.passes[1:])
    for rows in ([4, 2, 0, 1, 3], [3], [1, 1]):
        torch.testing.assert_close(predictive(model, X[rows], samples=4).passes, found.passes[:, rows])
    assert not torch.allclose(predictive(model, X, samples=4, seed=1).passes, found.passes)
    assert model.training  # As it was.


def test_weights_are_those_of_the_draw():
    model = MODELS["bayesian"]()
    passes = predictive(model, X, samples=3).passes
    for number in range(3):
        literal = network()
        literal.load_state_dict(literal.state_dict() | weight_draw(model, number))
        torch.testing.assert_close(passes[number], literal(X))


@pytest.mark.parametrize("behind", [nn.Identity(), nn.Tanh()])
def test_a_last_layer_that_alone_draws_runs_alone_and_gives_the_same(behind):
    """Where something follows it, the whole network runs."""
    runs = []
    model = nn.Sequential(network(), behind)
    model[0][0].register_forward_hook(lambda *_: runs.append(1))
    found = predictive(bayesian(model, layers=["0.2"], prior_std=2.0), X, samples=4).passes
    for number, passes in enumerate(found):
        weight = weight_draw(bayesian(model, layers=["0.2"], prior_std=2.0), number)["0.2.weight"]
        literal = torch.func.functional_call(model, {"0.2.weight": weight}, (X,))
        torch.testing.assert_close(passes, literal)
    assert len(runs) == 4 + (4 if isinstance(behind, nn.Tanh) else 1)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d])
def test_dropout_drops_its_share_and_keeps_the_mean(kind):
    x = torch.ones(2, 400, 1, 1) if kind is nn.Dropout2d else torch.ones(2, 400)
    passes = predictive(nn.Sequential(kind(0.25), nn.Flatten()), x, samples=20).passes
    assert passes.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (passes == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(passes[:, 0], passes[:, 1])


def test_uncertainty_by_hand():
    """Two passes that contradict each other, two that are both unsure, and two that are sure."""
    probs = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]])
    passes = probs.log().clamp_min(-100)
    found = Predictive(probs.mean(0).log(), passes)
    two = math.log(2)
    torch.testing.assert_close(found.entropy, torch.tensor([two, two, 0]))
    torch.testing.assert_close(found.aleatoric, torch.tensor([0, two, 0]))
    torch.testing.assert_close(found.mutual_information, torch.tensor([two, 0, 0]))
    torch.testing.assert_close(found.values, torch.tensor([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]))
    torch.testing.assert_close(found.spread[:, 0], torch.tensor([0.5, 0.0, 0.0]))


def test_the_mean_is_that_of_the_probabilities_and_the_members_disagree_as_before():
    model = Ensemble([network(seed=seed) for seed in range(3)])
    found = predictive(model, X)
    torch.testing.assert_close(found.values, found.passes.softmax(-1).mean(0))
    torch.testing.assert_close(found.mutual_information, disagreement(model, X))
    drawn = predictive(MODELS["bayesian"](), X, samples=5)
    torch.testing.assert_close(drawn.values, drawn.passes.softmax(-1).mean(0))


def test_amounts_have_a_spread_and_no_entropy():
    task = amounts(torch.arange(10.0))
    torch.manual_seed(0)
    model = bayesian(nn.Linear(4, 1).double(), prior_std=1.0, start="prior")
    found = predictive(model, X, task=task, samples=800)
    expected = (X.square() @ (2 * model.weight_log_std).exp().T).sqrt()
    torch.testing.assert_close(found.spread, expected, rtol=0.1, atol=0)
    with pytest.raises(UnsupportedModelError, match="'amounts' has no probabilities of classes"):
        _ = found.entropy


def test_gradients_reach_the_standard_deviations():
    model = MODELS["bayesian"]()
    predictive(model, X, samples=2).outputs.square().sum().backward()
    assert model[0].weight_log_std.grad.abs().sum() > 0


def test_samples_that_would_change_nothing_or_cannot_be_taken_are_refused():
    with pytest.raises(UnsupportedModelError, match="the model draws nothing"):
        predictive(network(), X, samples=2)
    with pytest.raises(ValueError, match="samples is 0"):
        predictive(network(), X, samples=0)
    attention = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.5, batch_first=True).double()
    with pytest.raises(UnsupportedModelError, match="self_attn' drops inside itself"):
        predictive(nn.Sequential(attention, nn.Flatten()), X[:, None], samples=2)
    attention.self_attn.dropout = 0.0
    with torch.no_grad():
        passes = predictive(nn.Sequential(attention, nn.Flatten()), X[:, None], samples=2).passes
    assert not torch.allclose(passes[0], passes[1])
    with pytest.raises(UnsupportedModelError, match="alpha_dropout"):
        predictive(network(nn.AlphaDropout(0.5)), X, samples=2)


@pytest.mark.parametrize("wrapped", [lambda model: torch.compile(model, backend="eager"), nn.DataParallel])
def test_wrappers_change_no_draw_and_hide_no_temperature_or_members(wrapped):
    model = MODELS["bayesian"]()
    expected = predictive(model, X, samples=3)
    torch.testing.assert_close(predictive(wrapped(model), X, samples=3).passes, expected.passes)
    for scaled in (TemperatureScaled(wrapped(model), 2.0), wrapped(TemperatureScaled(model, 2.0))):
        found = predictive(scaled, X, samples=3)
        torch.testing.assert_close(found.passes, expected.passes / 2)
        torch.testing.assert_close(found.values, (expected.passes / 2).softmax(-1).mean(0))
    ensemble = Ensemble([network(seed=seed) for seed in range(3)])
    torch.testing.assert_close(predictive(wrapped(ensemble), X).passes, predictive(ensemble, X).passes)


def test_weights_are_the_models_own_again_also_after_an_error():
    class Failing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("on purpose")

    model = bayesian(network(Failing()))
    before = dict(model.named_parameters())
    with pytest.raises(RuntimeError, match="on purpose"):
        predictive(model, X, samples=2)
    assert all(weight is before[name] for name, weight in model.named_parameters())


def test_a_weight_that_layers_share_is_drawn_once_for_all():
    inner = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)).double()
    inner[1].weight = inner[0].weight
    model = GaussianWeights(inner, {"0.weight": torch.ones(4, 4).double()})
    for number, passes in enumerate(predictive(model, X, samples=3).passes):
        weight = weight_draw(model, number)["network.0.weight"]
        torch.testing.assert_close(passes, X @ weight.T @ weight.T)
