"""Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based localization.

Equations 1 and 2, enlarged to the size of the input. Maps are not rescaled to [0, 1], so different rows are comparable.
"""

import logging
from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.passes import pass_over
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched

log = logging.getLogger(__name__)


def grad_cam_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    layer: str | None = None,
    score: str | Score = "target_logit",
    create_graph: bool = True,
) -> Float[Tensor, " batch channel height width"]:
    """ReLU of the sum of the layer's channels weighted by their mean gradients, repeated for every input channel.

    With ``create_graph`` the weights keep their graph to the parameters too.

    Args:
        layer: name of a layer; None for the last convolution with more than one place.

    Raises:
        UnsupportedModelError: no such convolution or layer, a layer or input that is not
            (batch, channel, height, width), a layer with a single place, or an output that the next layer overwrites in
            place.
    """
    found = class_map_of(forward, target, layer=layer, score=score, create_graph=create_graph)
    enlarged = interpolate(found.relu(), size=forward.x.shape[2:], mode="bilinear", align_corners=False)
    return enlarged.expand_as(forward.x)


def class_map_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    layer: str | None = None,
    score: str | Score = "target_logit",
    create_graph: bool = True,
) -> Float[Tensor, " batch 1 map_height map_width"]:
    """The sum of the layer's channels weighted by their mean gradients, before the ReLU, at the layer's resolution.

    Raises:
        UnsupportedModelError: see `grad_cam_of`.
    """
    scores = score_named(score, forward)(forward.outputs, target).sum()
    activation = forward.activation(map_layer_of(forward, layer))
    weights = forward.gradient(scores, activation, create_graph=create_graph).mean(dim=(2, 3), keepdim=True)
    return (weights * activation).sum(dim=1, keepdim=True)


def grad_cam(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    layer: str | None = None,
    score: str | Score = "target_logit",
    seed: int = 0,
    differentiable: bool = False,
) -> Float[Tensor, " batch *input"]:
    """Grad-CAM: a map, at least 0, of where the layer finds evidence for the score.

    Args:
        layer: name of a layer; None for the last convolution with more than one place.

    Raises:
        UnsupportedModelError: see `grad_cam_of`.
    """
    with untouched(model, seed):
        forward = pass_over(model, x, target, seed=seed)
        heat = grad_cam_of(forward, target, layer=layer, score=score, create_graph=differentiable)
        return heat if differentiable else heat.detach()


def map_layer_of(forward: Forward, layer: str | None) -> str:
    """The name of the layer whose map is taken: the one that is given, or the last ``Conv2d`` with several places.

    A convolution that sees the whole image at once, such as those of squeeze-and-excitation blocks, has a single place:
    its map would be the same everywhere.

    Raises:
        UnsupportedModelError: there is none, or the given one is not (batch, channel, height, width) with several
            places.
    """
    if layer is not None:
        _require_places(forward, layer)
        return layer
    layers = {name: forward.model.get_submodule(name) for name in forward.layers}
    convolutions = [name for name, module in layers.items() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        kinds = ", ".join(dict.fromkeys(type(module).__name__ for module in layers.values()))
        raise UnsupportedModelError(
            f"no convolution of images ran in this model: found {kinds or 'no layers'}; a class map needs a Conv2d "
            "or another layer of shape (batch, channel, height, width): name it in the setting layer"
        )
    _require_map(forward, "x has", forward.x.shape)
    with_places = [name for name in convolutions if _num_places(forward, forward.shape_of(name)) > 1]
    if not with_places:
        _require_places(forward, convolutions[-1])
    elif with_places[-1] != convolutions[-1]:
        log.info(
            f"layer {with_places[-1]!r} gives the class map: {convolutions[-1]!r}, which runs later, has no places"
        )
    return with_places[-1]


def _num_places(forward: Forward, shape: Sequence[int]) -> int:
    """The number of places in an output of shape (batch, channel, height, width); 0 for another shape."""
    return shape[2] * shape[3] if len(shape) == 4 and shape[0] == forward.num_rows else 0


def _require_places(forward: Forward, layer: str) -> None:
    shape = forward.shape_of(layer)
    _require_map(forward, f"layer {layer!r} gives", shape)
    _require_map(forward, "x has", forward.x.shape)
    if _num_places(forward, shape) == 1:
        raise UnsupportedModelError(
            f"layer {layer!r} gives shape {tuple(shape)}, a single place: its map would be the same everywhere; "
            "expected several places: name such a layer in the setting layer"
        )


def _require_map(forward: Forward, what: str, shape: Sequence[int]) -> None:
    if not _num_places(forward, shape):
        raise UnsupportedModelError(f"{what} shape {tuple(shape)}; a class map needs (batch, channel, height, width)")
