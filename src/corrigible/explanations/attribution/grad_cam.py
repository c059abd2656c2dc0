"""Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based localization.

Equations 1 and 2, enlarged to the size of the input. Maps are not rescaled to [0, 1], so different rows are comparable.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.passes import pass_over
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched


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
        layer: name of a layer; None for the last convolution that ran.

    Raises:
        UnsupportedModelError: no convolution, no such layer, a layer or input that is not
            (batch, channel, height, width), or an output that the next layer overwrites in place.
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
    name = last_convolution_of(forward) if layer is None else layer
    activation = forward.activation(name)
    for what, found in ((f"layer {name!r} gives", activation), ("x has", forward.x)):
        if found.ndim != 4 or len(found) != forward.num_rows:
            shape = tuple(found.shape)
            raise UnsupportedModelError(f"{what} shape {shape}; grad_cam needs (batch, channel, height, width)")
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
    """Grad-CAM: a map, at least 0, of where the last convolution (or the named layer) finds evidence for the score.

    Raises:
        UnsupportedModelError: see `grad_cam_of`.
    """
    with untouched(model, seed):
        forward = pass_over(model, x, target, seed=seed)
        heat = grad_cam_of(forward, target, layer=layer, score=score, create_graph=differentiable)
        return heat if differentiable else heat.detach()


def last_convolution_of(forward: Forward) -> str:
    """The name of the last ``Conv2d`` that ran in this pass.

    Raises:
        UnsupportedModelError: none ran.
    """
    layers = {name: forward.model.get_submodule(name) for name in forward.layers}
    convolutions = [name for name, module in layers.items() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        kinds = ", ".join(dict.fromkeys(type(module).__name__ for module in layers.values()))
        raise UnsupportedModelError(
            f"no convolution in this model; grad_cam needs a Conv2d and found {kinds or 'no layers'}: "
            "name a layer of shape (batch, channel, height, width), or choose another explainer"
        )
    return convolutions[-1]
