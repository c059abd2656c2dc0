"""Bayesian layers draw activations whose moments are those of drawn weights."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes import bayesian, bayesian_layers, deterministic
from corrigible.models.bayes.divergence import kl_of
from corrigible.models.bayes.drawing import weight_draw
from corrigible.models.draws import coarse_row_normal
from corrigible.models.forward import Forward
from corrigible.types import Batch

NUM_DRAWS = 10_000
LAYERS = {
    "linear": (lambda: nn.Linear(5, 3), (2, 5)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=2, groups=2), (2, 4, 6)),
    "conv2d": (lambda: nn.Conv2d(2, 3, 2, padding=1, padding_mode="circular", bias=False), (2, 2, 3, 3)),
    "embedding": (lambda: nn.Embedding(7, 3), None),
}


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).double()


def rows(num_rows: int = 5) -> Batch:
    x = torch.randn(num_rows, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Batch(torch.arange(num_rows) + 3, x, torch.zeros(num_rows, dtype=torch.long))


def spread(model: nn.Module) -> nn.Module:
    """With standard deviations that differ."""
    torch.manual_seed(2)
    for _, layer in bayesian_layers(model):
        nn.init.uniform_(layer.weight_log_std, -2.0, 0.0)
    return model


@pytest.fixture(params=LAYERS)
def layer_and_inputs(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    build, shape = LAYERS[request.param]
    torch.manual_seed(4)
    inputs = torch.tensor([[3, 0], [6, 3]]) if shape is None else torch.randn(shape, dtype=torch.float64)
    return spread(bayesian(build().double())), inputs


@pytest.mark.parametrize("kind", LAYERS)
def test_moments_are_those_of_drawn_weights(kind):
    """Brute force: the layer is run with 10,000 draws of all its weights, whose sample moments are made exact."""
    build, shape = LAYERS[kind]
    torch.manual_seed(4)
    x = torch.tensor([3, 6]) if shape is None else torch.randn(shape, dtype=torch.float64)
    layer = spread(bayesian(build().double())).eval()
    normal = torch.randn(NUM_DRAWS, layer.weight.numel(), dtype=torch.float64)
    normal = normal - normal.mean(0)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(normal.T.cov(correction=0)), normal.T, upper=False).T
    draws = layer.weight + layer.weight_log_std.exp() * whitened.reshape(NUM_DRAWS, *layer.weight.shape)

    def with_weight(weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    found = torch.func.vmap(with_weight)(draws)
    mean, variance = layer.moments(x)
    torch.testing.assert_close(found.mean(0), mean)
    torch.testing.assert_close(found.var(0, correction=0), variance)


def test_activations_in_training_have_these_moments(layer_and_inputs):
    layer, x = layer_and_inputs
    mean, variance = layer.moments(x[:1])
    repeated = x[:1].expand(NUM_DRAWS, *x.shape[1:])
    index = torch.arange(NUM_DRAWS)
    if x.is_floating_point():
        found = Forward(nn.Sequential(layer, nn.Flatten()).train(), Batch(index, repeated, index * 0)).outputs
    else:
        torch.manual_seed(0)
        found = layer.train()(repeated).flatten(1)
    standard = (found - mean.flatten(1)) / variance.flatten(1).sqrt()
    assert standard.mean().abs() < 4 / math.sqrt(standard.numel())
    assert (standard.square().mean() - 1).abs() < 4 * math.sqrt(2 / standard.numel())
    assert standard.mean(0).abs().max() < 4 / math.sqrt(NUM_DRAWS)
    assert (standard.var(0) - 1).abs().max() < 4 * math.sqrt(2 / NUM_DRAWS)


def test_divergence_is_that_of_torch_distributions_and_exact(layer_and_inputs):
    layer, _ = layer_and_inputs
    posterior = Normal(layer.weight, layer.weight_log_std.exp())
    expected = kl_divergence(posterior, Normal(torch.zeros(()).double(), layer.prior_std)).sum()
    torch.testing.assert_close(kl_of(layer), expected)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.weight_log_std, math.log(layer.prior_std))
    assert kl_of(layer).abs() < 1e-12


def test_the_pass_offers_the_moments_and_draws_from_them():
    model, batch = spread(bayesian(network())).train(), rows()
    forward = Forward(model, batch, seed=5)
    mean, variance = forward.moments("0")
    expected = model[0].moments(batch.x)
    torch.testing.assert_close((mean, variance), expected)
    drawn = coarse_row_normal(batch.index, (2, 2, 2), seed=5, name="activations/0")
    torch.testing.assert_close(forward.activation("0"), mean + variance.sqrt() * drawn)
    at_rest = Forward(model.eval(), batch, seed=5)
    torch.testing.assert_close(at_rest.moments("0"), expected)
    torch.testing.assert_close(at_rest.activation("0"), mean)
    with pytest.raises(UnsupportedModelError, match="layer '1' does not draw"):
        at_rest.moments("1")


def test_order_size_and_repetition_change_no_draw():
    model, batch = spread(bayesian(network())).train(), rows()
    whole = Forward(model, batch).outputs
    for places in ([3, 0, 4, 1, 2], [2], [1, 1, 0]):
        some = Batch(batch.index[places], batch.x[places], batch.y[places])
        torch.testing.assert_close(Forward(model, some).outputs, whole[places])


def test_gradients_are_those_of_finite_differences_also_where_all_inputs_are_0():
    model, batch = spread(bayesian(network())).train(), rows(3)
    torch.autograd.gradcheck(
        lambda *_: Forward(model, batch, seed=1).outputs, tuple(model.parameters()), fast_mode=True, atol=1e-7
    )

    def gradient_size(*_: Tensor) -> Tensor:
        forward = Forward(model, batch, seed=1)
        return forward.input_gradient(lambda outputs, _: outputs[:, 0], batch.y).square().sum()

    torch.autograd.gradcheck(gradient_size, tuple(model.parameters()), fast_mode=True, atol=1e-7)
    blank = Forward(model, Batch(batch.index, torch.zeros_like(batch.x), batch.y), seed=1)
    found = torch.autograd.grad(blank.outputs.square().sum(), list(model.parameters()))
    assert all(gradient.isfinite().all() for gradient in found)


def test_back_and_forth_and_eval_mode_give_the_same_network():
    model, x = network(), rows().x
    there = bayesian(model, prior_std=0.5)
    assert torch.equal(there.eval()(x), model(x))
    assert torch.equal(deterministic(there)(x), model(x))
    assert deterministic(there).state_dict().keys() == model.state_dict().keys()
    assert type(deterministic(there)[3]) is nn.Linear
    assert set(dict(there.named_parameters())) - set(dict(model.named_parameters())) == {
        "0.weight_log_std",
        "3.weight_log_std",
    }
    again = bayesian(network(seed=9), prior_std=0.5)
    again.load_state_dict(there.state_dict())
    assert torch.equal(again.eval()(x), model(x))


def test_standard_deviations_start_at_a_tenth_of_the_weights_or_at_the_prior():
    model = network()
    small = bayesian(model, prior_std=100.0)[3]
    tenth = 0.1 * model[3].weight.square().mean().sqrt()

    def std(layer: nn.Module) -> Tensor:
        return layer.weight_log_std.exp().max()

    torch.testing.assert_close(std(small), tenth)
    assert std(bayesian(model, prior_std=0.01)[3]).item() == pytest.approx(0.001)
    assert std(bayesian(model, prior_std=0.3, start="prior")[3]).item() == pytest.approx(0.3)


def test_only_the_named_layers_are_converted():
    assert [name for name, _ in bayesian_layers(bayesian(network(), layers=["3"]))] == ["3"]


def test_drawn_weights_have_the_layers_distribution_and_belong_to_seed_and_number():
    model = spread(bayesian(network()))
    found = torch.stack([weight_draw(model, number)["3.weight"] for number in range(2_000)])
    standard = (found - model[3].weight) / model[3].weight_log_std.exp()
    assert standard.mean().abs() < 0.02
    assert (standard.var() - 1).abs() < 0.02
    assert torch.equal(weight_draw(model, 7)["3.weight"], found[7])
    assert not torch.equal(weight_draw(model, 7, seed=1)["3.weight"], found[7])


def test_what_cannot_be_converted_is_refused_in_one_line():
    model = network()
    for wrong, match in (
        ({"layers": ["7"]}, "no layer '7'; this model has 0, 1, 2, 3"),
        ({"layers": ["1"]}, "layer '1' is a ReLU; expected Linear, Conv1d, Conv2d or Embedding"),
    ):
        with pytest.raises(UnsupportedModelError, match=match):
            bayesian(model, **wrong)
    with pytest.raises(ValueError, match=r"prior_std is 0\.0; expected a number above 0"):
        bayesian(model, prior_std=0.0)
    with pytest.raises(UnsupportedModelError, match="without a Linear"):
        bayesian(nn.ReLU())
    with pytest.raises(UnsupportedModelError, match="bayesian"):
        deterministic(model)
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    with pytest.raises(UnsupportedModelError, match="shares its weight"):
        bayesian(tied)
    with pytest.raises(UnsupportedModelError, match="padding_idx"):
        bayesian(nn.Embedding(3, 2, padding_idx=0))
