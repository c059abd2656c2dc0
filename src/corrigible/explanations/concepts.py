"""Directions in a layer that stand for a concept, from examples with it and without it.

Kim et al. 2018, Interpretability beyond feature attribution: quantitative testing with concept activation vectors
(TCAV): the normal of a linear classifier. Haufe et al. 2014 and Pahde et al. 2025, Navigating neural space: the
pattern cov(a, y) / var(y), whose direction is not affected by noise that both kinds of examples share. In layers with
positions, a direction has one entry per channel: activations are averaged over the positions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations.passes import pass_over
from corrigible.explanations.reading import meaning_of
from corrigible.explanations.scores import score_named
from corrigible.models.concept_projection import ends_in_channels
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import device_of, untouched
from corrigible.models.networks import network_of
from corrigible.tasks import TaskChoice

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_ROWS_AT_ONCE = 256


def concept_layer_of(forward: Forward) -> str:
    """The name of the last convolution that ran; if none did, of the last layer before the one that gives the logits.

    Raises:
        UnsupportedModelError: there is neither.
    """
    modules = {name: forward.model.get_submodule(name) for name in forward.layers}
    convolutions = [name for name, module in modules.items() if isinstance(module, _CONVOLUTIONS)]
    inner = [name for name, module in modules.items() if not list(module.children())][:-1]
    if not (convolutions or inner):
        found = ", ".join(modules) or "none"
        raise UnsupportedModelError(f"no layer before the logits (layers: {found}); expected one to look for concepts")
    return (convolutions or inner)[-1]


def pooled(model: nn.Module, layer: str, activation: Float[Tensor, " batch *unit"]) -> Float[Tensor, " batch channel"]:
    """The mean of each channel over positions; channels are the axis after the rows, or the last of a linear layer."""
    if activation.ndim < 2:
        raise UnsupportedModelError(f"layer {layer!r} gives shape {tuple(activation.shape)}; expected rows of channels")
    is_last = ends_in_channels(model.get_submodule(layer))
    channels_first = activation.movedim(-1, 1) if is_last else activation
    return channels_first.flatten(2).mean(dim=2) if activation.ndim > 2 else activation


def pooled_activations(
    model: nn.Module, x: Float[Tensor, " batch *input"], *, layer: str | None = None, seed: int = 0
) -> Float[Tensor, " batch channel"]:
    """The layer's activations for each row in eval mode, averaged over positions.

    Raises:
        UnsupportedModelError: no such layer ran, or it gives no rows of channels.
    """

    def read(forward: Forward, name: str) -> Tensor:
        return pooled(model, name, forward.activation(name))

    # Activations do not depend on the labels.
    return _in_parts(model, x, torch.zeros(len(x), dtype=torch.long), read, layer=layer, seed=seed)


def concept_vector(
    model: nn.Module,
    with_concept: Float[Tensor, " present *input"],
    without_concept: Float[Tensor, " absent *input"],
    *,
    layer: str | None = None,
    method: Literal["pattern", "logistic"] = "pattern",
    seed: int = 0,
) -> Float[Tensor, " channel"]:
    """The concept's direction in a layer, as a unit vector with one entry per channel.

    Args:
        layer: the layer's name; None for the last convolution, or if there is none the layer before the logits.
        method: the pattern, which for two kinds of examples is the difference of their means, or the normal of a
            logistic regression.

    Raises:
        DataError: no examples of one kind, or examples between which the layer sees no difference.
        UnsupportedModelError: no such layer.
    """
    if len(with_concept) == 0 or len(without_concept) == 0:
        counts = f"{len(with_concept)} with and {len(without_concept)} without"
        raise DataError(f"{counts} the concept; expected at least one example of each")
    present, absent = (pooled_activations(model, x, layer=layer, seed=seed) for x in (with_concept, without_concept))
    direction = pattern(present, absent) if method == "pattern" else _normal(present, absent)
    if not bool(direction.any()):
        raise DataError("the layer is the same with and without the concept; choose another layer or other examples")
    return normalize(direction, dim=0)


def pattern(
    present: Float[Tensor, " present channel"], absent: Float[Tensor, " absent channel"]
) -> Float[Tensor, " channel"]:
    """cov(a, y) / var(y) of the activations a with y = 1 where the concept is present: the difference of the means."""
    return present.mean(dim=0) - absent.mean(dim=0)


def _normal(present: Tensor, absent: Tensor) -> Tensor:
    from sklearn.linear_model import LogisticRegression  # Here, because it takes seconds to load.

    activations = torch.cat([present, absent]).double()
    is_present = [1] * len(present) + [0] * len(absent)
    # Otherwise weight decay would suppress channels with small activations.
    scale = activations.std(dim=0).clamp_min(1e-12)
    found = LogisticRegression(max_iter=1000).fit((activations / scale).cpu().numpy(), is_present)
    return (torch.from_numpy(found.coef_[0]).to(scale) / scale).to(present)


def concept_gradient_of(
    forward: Forward, target: Int[Tensor, " batch *contrast"], *, layer: str, score: str | Score = "target_logit"
) -> Float[Tensor, " batch channel"]:
    """The score's derivative when a channel of the layer rises equally at every position; differentiable again."""
    activation = forward.activation(layer)
    scores = score_named(score, forward)(forward.outputs, target).sum()
    mean = pooled(forward.model, layer, forward.gradient(scores, activation))
    num_positions = activation[0].numel() / mean.shape[1]
    return mean * num_positions


def concept_sensitivity(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    vector: Float[Tensor, " channel"],
    *,
    layer: str | None = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    seed: int = 0,
) -> Float[Tensor, " batch"]:
    """The score's derivative along the concept, in units of the score per unit of the layer's averaged activation.

    Args:
        target: the class of each row, or for other tasks the number of the output.
        score, task: as in `explain`; None for the task's own score.

    Raises:
        UnsupportedModelError: no such layer ran.
    """
    gradients = _gradients(model, x, target, layer=layer, score=score, task=task, seed=seed)
    return gradients @ vector.to(gradients)


@dataclass(frozen=True)
class ConceptTest:
    """How often a concept raises a class's score, against random directions."""

    score: float
    """TCAV: the share of rows, from 0 to 1, whose score the concept raises."""
    p_value: float
    """The share of directions, the random ones and the concept's own, whose score lies at least as far from 0.5."""


def concept_test(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    vector: Float[Tensor, " channel"],
    *,
    layer: str | None = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    num_random: int = 99,
    seed: int = 0,
) -> ConceptTest:
    """TCAV (Kim et al. 2018, section 3.3) against directions drawn uniformly from the layer's channels.

    Arguments are those of `concept_sensitivity`.
    """
    gradients = _gradients(model, x, target, layer=layer, score=score, task=task, seed=seed).double().cpu()
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(gradients.shape[1], num_random, generator=generator, dtype=torch.float64)
    directions = torch.cat([vector.to(gradients)[:, None], random], dim=1)
    shares = (gradients @ directions > 0).double().mean(dim=0)
    far = (shares - 0.5).abs()
    return ConceptTest(shares[0].item(), (far >= far[0] - 1e-12).double().mean().item())


def _gradients(
    model: nn.Module,
    x: Tensor,
    target: Tensor,
    *,
    layer: str | None,
    score: str | Score | None,
    task: TaskChoice | None,
    seed: int,
) -> Float[Tensor, " batch channel"]:
    def read(forward: Forward, name: str) -> Tensor:
        asked = meaning_of(task, forward.outputs, score).score
        return concept_gradient_of(forward, forward.target, layer=name, score=asked)

    return _in_parts(model, x, target, read, layer=layer, seed=seed)


def _in_parts(
    model: nn.Module, x: Tensor, target: Tensor, read: Callable[[Forward, str], Tensor], *, layer: str | None, seed: int
) -> Float[Tensor, " batch channel"]:
    """The values that ``read`` gives for each row, computed a few rows at a time."""
    model, found = network_of(model), []
    target = target.to(device_of(model))
    with untouched(model, seed):
        for rows, chosen in zip(x.split(_ROWS_AT_ONCE), target.split(_ROWS_AT_ONCE), strict=True):
            forward = pass_over(model, rows, chosen, seed=seed)
            name = concept_layer_of(forward) if layer is None else layer
            found.append(read(forward, name).detach())
    return torch.cat(found)
