"""One network drawn from a model's distribution over networks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

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
    return weight_draws(model, seed=seed)(number)


def weight_draws(model: nn.Module, *, seed: int = 0) -> Callable[[int], dict[str, Tensor]]:
    """Returns what `weight_draw` gives for a number; what all draws share is computed once."""
    layers = [(name, module) for name, module in model.named_modules() if is_bayesian(module)]
    moments = {name: (layer.weight, layer.weight_log_std.exp()) for name, layer in layers}
    others = {name: module for name, module in model.named_modules() if isinstance(module, GaussianWeights)}

    def drawn(number: int) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, (mean, std) in moments.items():
            noise = normal_draw(mean, number, seed=seed, name=f"weights/{name}")
            found[_within(name, "weight")] = torch.addcmul(mean, std, noise)
        for name, module in others.items():
            values = module.weight_draw(number, seed=seed, name=name)
            found |= {_within(name, of): weight for of, weight in values.items()}
        return found

    return drawn


def weight_exchange(
    model: nn.Module, names: Iterable[str]
) -> Callable[[Mapping[str, Tensor]], AbstractContextManager[None]]:
    """Returns a context in which the model has other values in the place of these parameters.

    A parameter that several layers share is exchanged in all of them.
    """
    parameters = dict(model.named_parameters())
    holders = [(module._parameters, key) for module in model.modules() for key in module._parameters]
    own = {name: parameters[name] for name in names}
    places = {name: [(held, key) for held, key in holders if held[key] is weight] for name, weight in own.items()}

    def put(values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            for held, key in places[name]:
                held[key] = value  # type: ignore[assignment]  # Not a parameter, so that it stays in its graph.

    @contextmanager
    def exchanged(values: Mapping[str, Tensor]) -> Iterator[None]:
        try:
            put(values)
            yield
        finally:
            put(own)

    return exchanged


def over_draws(model: nn.Module, task: Task) -> nn.Module:
    """The mean prediction of eight draws of the weights, as an ensemble; the model itself if it has no distribution."""
    num = num_draws(model)
    return model if num is None else Ensemble([sample_network(model, number) for number in range(num)], task=task)


def _within(name: str, of: str) -> str:
    return f"{name}.{of}" if name else of


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
