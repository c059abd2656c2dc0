"""What the last convolution saw under the marks, as far as it influences the output, pulled to zero.

Activation × gradient (Shrikumar et al. 2016) at a layer, as evidence that should be absent where nothing must matter.
Both factors are differentiated: their product is a function of the parameters, and what is cheap about it is that the
gradient goes back to the layer only, not to the input.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import UnsupportedModelError
from corrigible.explanations.attribution.grad_cam import last_convolution_of
from corrigible.explanations.layers import layer_attribution_of
from corrigible.explanations.marks.upsampling import cells_touched
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(looks_at="layers")
def activation_evidence(
    forward: Forward, batch: Batch, *, score: str = "random_projection", layer: str | None = None
) -> Float[Tensor, ""]:
    """Mean of (activation × the score's gradient)² over the layer's channels at the positions that marks fall into.

    At least 0, in squared units of the score. A position counts as marked when any marked pixel, of any channel, falls
    into its part of the image; channels cannot cancel each other. 0 exactly when no unit there is both active and of
    influence: a network that ignores the marked inputs may still use what lies beside them in the same position.

    Args:
        layer: name of a layer; None for the last convolution that ran.

    Raises:
        UnsupportedModelError: no convolution, or a layer or input that is not (batch, channel, height, width).
    """
    assert batch.irrelevant is not None
    name = last_convolution_of(forward) if layer is None else layer
    evidence = layer_attribution_of(forward, batch.y, layer=name, score=score)
    if evidence.ndim != 4 or forward.x.ndim != 4:
        shapes = f"layer {name!r} gives shape {tuple(evidence.shape)} for x of shape {tuple(forward.x.shape)}"
        raise UnsupportedModelError(f"{shapes}; activation_evidence needs (batch, channel, height, width) of both")
    is_marked = cells_touched(batch.irrelevant, (evidence.shape[2], evidence.shape[3]))
    return (evidence.square().mean(dim=1, keepdim=True) * is_marked).sum() / is_marked.sum().clamp_min(1)
