"""One network drawn from a model's distribution over networks."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.converting import deterministic
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.bayes.layers import is_bayesian
from corrigible.models.bayes.weight_draws import normal_draw
from corrigible.models.ensemble import Ensemble
from corrigible.models.networks import copied, network_of
from corrigible.types import Task

NUM_DRAWS = 8
"""Over how many draws what is random of a Bayesian network is averaged, where a choice depends on it."""


def num_draws(model: nn.Module) -> int | None:
    """Over how many draws a choice about this network averages; None if no weight has a distribution."""
    return NUM_DRAWS if any(_has_distribution(module) for module in model.modules()) else None


@contextmanager
def drawing_activations(model: nn.Module) -> Iterator[nn.Module]:
    """A context in which Bayesian layers draw their activations, as in training; other layers keep their mode."""
    layers = [module for module in model.modules() if is_bayesian(module) and not module.training]
    try:
        for layer in layers:
            layer.training = True
        yield model
    finally:
        for layer in layers:
            layer.training = False


def weight_draw(model: nn.Module, number: int, *, seed: int = 0) -> dict[str, Tensor]:
    """The draw of this number of all weights that have a distribution, by the names of the model's parameters."""
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        if is_bayesian(module):
            noise = normal_draw(module.weight, number, seed=seed, name=f"weights/{name}")
            found[f"{prefix}weight"] = module.weight + module.weight_log_std.exp() * noise
        if isinstance(module, GaussianWeights):
            drawn = module.weight_draw(number, seed=seed, name=name)
            found |= {f"{prefix}{of}": values for of, values in drawn.items()}
    return found


def over_draws(model: nn.Module, task: Task) -> nn.Module:
    """The mean prediction of eight draws of the weights, as an ensemble; the model itself if it has no distribution."""
    num = num_draws(model)
    return model if num is None else Ensemble([sample_network(model, number) for number in range(num)], task=task)


def _has_distribution(module: nn.Module) -> bool:
    return is_bayesian(module) or isinstance(module, GaussianWeights)


def sample_network(model: nn.Module, number: int, *, seed: int = 0) -> nn.Module:
    """A copy with the weights of the draw of this number, as single values.

    Raises:
        UnsupportedModelError: no weight has a distribution.
    """
    network = copied(network_of(model))
    drawn = weight_draw(network, number, seed=seed)
    if not drawn:
        raise UnsupportedModelError(
            f"the model is a {type(model).__name__} without weights that have a distribution; make a copy with some: "
            "bayesian(model)"
        )
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, values in drawn.items():
            parameters[name].copy_(values)
    return deterministic(network) if any(is_bayesian(module) for module in network.modules()) else network
