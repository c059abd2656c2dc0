"""The passes of a prediction: of each member of an ensemble, of each sample of a distribution over networks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.closed_form import last_layer_log_probs
from corrigible.models.bayes.drawing import weight_draws, weight_exchange
from corrigible.models.bayes.dropping import Dropping, require_dropout_that_can_stay_on
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.bayes.layers import BayesianLinear, is_bayesian
from corrigible.models.draws import drawing_alike
from corrigible.models.ensemble import is_ensemble
from corrigible.models.modes import evaluating
from corrigible.outputs import require_each
from corrigible.types import Task


def passes_at_means(model: nn.Module, network: nn.Module, x: Tensor, task: Task) -> Float[Tensor, " pass batch output"]:
    """The outputs of each member, or of the one network, as its modes are; weights are at their means in eval mode.

    Of a network of classes of which only the last layer has a distribution, the logarithms of the mean probabilities.

    Args:
        network: the model itself, or what is inside its wrappers.
    """
    if is_ensemble(network):
        return network.member_outputs(x)
    layer = _last_layer_in_closed_form(network) if task.name == "classes" else None
    if layer is None:
        return _one_pass(model, x, task)
    with _observing(layer) as last:
        passes = _one_pass(model, x, task)
    if not last.gives(passes, task):
        return passes
    inputs, mean, _ = last.seen[0]
    return last_layer_log_probs(layer, inputs, mean)[None]


def sampled_passes(
    model: nn.Module, x: Tensor, task: Task, *, samples: int, seed: int
) -> Float[Tensor, " pass batch output"]:
    """The outputs of each sample, and of an ensemble of each member of each sample, in eval mode.

    Raises:
        UnsupportedModelError: the model draws nothing, or drops where dropout cannot stay on.
    """
    require_dropout_that_can_stay_on(model)
    found: list[Tensor] = []
    weights = weight_draws(model, seed=seed)
    drawn = weights(0)
    exchanged = weight_exchange(model, drawn)
    with evaluating(model), _only_layer_that_draws(model, drawn) as last:
        for number in range(samples):
            drawn = weights(number) if number else drawn
            if last.is_all:
                found.append(last.outputs(drawn, task)[None])
                continue
            # A layer of the user's own takes its draws from the last.
            with (
                exchanged(drawn),
                Dropping(number, seed) as dropping,
                drawing_alike(_seed_of(number, seed), anew=True) as alike,
            ):
                copy = x.clone()
                found.append(model.member_outputs(copy) if is_ensemble(model) else _one_pass(model, copy, task))
            if not drawn and not dropping.num_calls and not alike.num_calls:
                raise UnsupportedModelError(
                    f"samples is {samples}, and the model draws nothing: it has neither weights with a distribution "
                    "nor dropout; make a copy that has some, bayesian(model), or leave out samples"
                )
            last.is_all = not dropping.num_calls and not alike.num_calls and last.gives(found[0], task)
    return torch.cat(found)


def _one_pass(model: nn.Module, x: Tensor, task: Task) -> Float[Tensor, " 1 batch output"]:
    outputs = task.outputs(model(x))
    require_each(outputs, len(x))
    return outputs[None]


@dataclass
class _Last:
    """A linear layer that may be the last, and the only one that draws: then its inputs are the same in all samples."""

    name: str = ""
    layer: nn.Linear | None = None
    seen: list[tuple[Tensor, Tensor, int]] = field(default_factory=list)
    """Its inputs and outputs whenever it ran, and how often the outputs had been changed in place by then."""
    is_all: bool = False

    def gives(self, passes: Float[Tensor, " pass batch output"], task: Task) -> bool:
        """Whether the model's outputs are those of this layer."""
        if self.layer is None or len(self.seen) != 1 or self.seen[0][0].ndim != 2:
            return False
        _, outputs, version = self.seen[0]
        return outputs._version == version and torch.equal(task.outputs(outputs)[None], passes)

    def outputs(self, drawn: Mapping[str, Tensor], task: Task) -> Float[Tensor, " batch output"]:
        """The model's outputs with the weights that were drawn."""
        assert self.layer is not None
        weight, bias = (drawn.get(f"{self.name}.{of}", getattr(self.layer, of)) for of in ("weight", "bias"))
        return task.outputs(linear(self.seen[0][0], weight, bias))


@contextmanager
def _only_layer_that_draws(model: nn.Module, drawn: Mapping[str, Tensor]) -> Iterator[_Last]:
    owners = {name.rpartition(".")[0] for name in drawn}
    layer = model.get_submodule(owners.pop()) if len(owners) == 1 else None
    names = [name for name, module in model.named_modules() if module is layer and name]
    if not isinstance(layer, nn.Linear) or not names:
        yield _Last()
        return
    with _observing(layer, names[0]) as last:
        yield last


@contextmanager
def _observing(layer: nn.Linear, name: str = "") -> Iterator[_Last]:
    last = _Last(name, layer)
    hook = layer.register_forward_hook(lambda _, given, found: last.seen.append((given[0], found, found._version)))
    try:
        yield last
    finally:
        hook.remove()


def _last_layer_in_closed_form(model: nn.Module) -> BayesianLinear | None:
    """The only layer with a distribution, if it is a linear one at its means."""
    layers = [module for module in model.modules() if is_bayesian(module) or isinstance(module, GaussianWeights)]
    layer = layers[0] if len(layers) == 1 else None
    return layer if isinstance(layer, BayesianLinear) and not layer.training else None


def _seed_of(number: int, seed: int) -> int:
    return (seed * 1_000_003 + number) % 2**63
