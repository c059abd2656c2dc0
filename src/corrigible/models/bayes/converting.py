"""A network whose weights have a distribution, from an ordinary one and back.

Blundell, Cornebise, Kavukcuoglu and Wierstra 2015, Weight uncertainty in neural networks: each weight has a normal
distribution of its own. Train it with the penalty `kl_divergence`, so that the objective is the evidence lower bound.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.layers import (
    BayesianConv1d,
    BayesianConv2d,
    BayesianEmbedding,
    BayesianLayer,
    BayesianLinear,
    is_bayesian,
)
from corrigible.models.networks import copied, network_of

KINDS: dict[type[nn.Module], type[BayesianLayer]] = {
    nn.Linear: BayesianLinear,
    nn.Conv1d: BayesianConv1d,
    nn.Conv2d: BayesianConv2d,
    nn.Embedding: BayesianEmbedding,
}
PLAIN = {bayesian: plain for plain, bayesian in KINDS.items()}
NAMES = "Linear, Conv1d, Conv2d or Embedding"


def bayesian(
    model: nn.Module,
    *,
    prior_std: float = 0.1,
    start: Literal["weights", "prior"] = "weights",
    layers: Sequence[str] | None = None,
) -> nn.Module:
    """A copy in which each weight of these layers is normally distributed; in eval mode it gives what the model gives.

    The means begin at the model's weights. Biases and all other layers keep their values, also those that cannot be
    converted, such as attention. Layers, weights and names stay; each converted layer gets ``weight_log_std`` in
    addition. In training, activations are drawn; `predictive` draws weights.

    Args:
        prior_std: standard deviation of each weight's prior N(0, prior_std²).
        start: where standard deviations begin: "weights" for a tenth of the layer's root mean square weight, at most
            of ``prior_std``, so that the network predicts nearly as before; "prior" for ``prior_std``.
        layers: names of layers, as in ``model.named_modules()``; None for every Linear, Conv1d, Conv2d and Embedding.

    Raises:
        UnsupportedModelError: no such layer, one of another kind, or one that shares its weight with another.
        ValueError: a ``prior_std`` that is not above 0, or another ``start``.
    """
    if not (isinstance(prior_std, int | float) and 0 < prior_std < math.inf):
        raise ValueError(f"prior_std is {prior_std!r}; expected a number above 0")
    if start not in ("weights", "prior"):
        raise ValueError(f'start is {start!r}; expected "weights" or "prior"')
    found = copied(network_of(model))
    chosen = _chosen(found, layers)
    _require_own_weights(found, chosen)
    for name in chosen:
        layer: Any = found.get_submodule(name)
        size = float(layer.weight.detach().square().mean().sqrt())
        std = prior_std if start == "prior" else 0.1 * min(size or prior_std, prior_std)
        _convert(layer, name, prior_std, std)
    return found


def deterministic(model: nn.Module) -> nn.Module:
    """A copy with ordinary layers, whose weights are the means: it gives what the model gives in eval mode.

    Raises:
        UnsupportedModelError: no layer of the model has a distribution.
    """
    plain = copied(network_of(model))
    for _, layer in bayesian_layers(plain):
        any_layer: Any = layer
        del any_layer.weight_log_std, any_layer.prior_std, any_layer.draws_name
        any_layer.__class__ = PLAIN[type(layer)]
    return plain


def bayesian_layers(model: nn.Module) -> list[tuple[str, BayesianLayer]]:
    """The layers whose weights have a distribution, with their names.

    Raises:
        UnsupportedModelError: the model has none.
    """
    found = [(name, module) for name, module in model.named_modules() if is_bayesian(module)]
    if not found:
        raise UnsupportedModelError(
            f"the model is a {type(model).__name__} without weights that have a distribution; make a copy with some: "
            "bayesian(model)"
        )
    return found


def _chosen(model: nn.Module, layers: Sequence[str] | None) -> list[str]:
    """The names of the layers to convert."""
    modules = dict(model.named_modules())
    if layers is None:
        found = [name for name, module in modules.items() if type(module) in KINDS]
        if not found:
            raise UnsupportedModelError(f"the model is a {type(model).__name__} without a {NAMES} to make Bayesian")
        layers = found
    for name in layers:
        if name not in modules:
            raise UnsupportedModelError(f"no layer {name!r}; this model has {', '.join(filter(None, modules))}")
        if type(modules[name]) not in KINDS:
            kind = type(modules[name]).__name__
            raise UnsupportedModelError(f"layer {name!r} is a {kind}; expected {NAMES}")
    for name in layers:
        layer = modules[name]
        if isinstance(layer, nn.Embedding) and (layer.max_norm is not None or layer.padding_idx is not None):
            raise UnsupportedModelError(
                f"layer {name!r} has max_norm or padding_idx, which change its weights; leave it out: layers=[…]"
            )
    return list(dict.fromkeys(layers))


def _require_own_weights(model: nn.Module, chosen: Sequence[str]) -> None:
    """Raises UnsupportedModelError for a weight that two layers share: it would have two standard deviations."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    modules: dict[str, Any] = dict(model.named_modules())
    for name in chosen:
        weight = modules[name].weight
        others = [other for other, value in parameters.items() if value is weight]
        homes = {id(model.get_submodule(other.rpartition(".")[0])) for other in others}
        if len(homes) > 1:
            raise UnsupportedModelError(
                f"layer {name!r} shares its weight with another ({', '.join(others)}); leave both out: layers=[…]"
            )


def _convert(layer: nn.Module, name: str, prior_std: float, std: float) -> None:
    any_layer: Any = layer
    any_layer.__class__ = KINDS[type(layer)]
    log_std = torch.full_like(any_layer.weight.detach(), math.log(std))
    any_layer.weight_log_std = nn.Parameter(log_std, requires_grad=any_layer.weight.requires_grad)
    any_layer.prior_std, any_layer.draws_name = float(prior_std), name
