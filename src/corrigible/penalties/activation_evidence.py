"""Reduce the evidence of the last convolution under the marks, as far as it influences the output.

Evidence is activation × gradient (Shrikumar et al. 2016) at a layer; it should be absent where inputs must not matter.
Both factors depend on the parameters and both are differentiated. It is cheap because the gradient goes back to the
layer only, not to the input.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.attribution.grad_cam import map_layer_of
from corrigible.explanations.layers import layer_attribution_of
from corrigible.explanations.marks.upsampling import cells_touched
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(looks_at="layers")
def activation_evidence(
    forward: Forward, batch: Batch, *, score: str = "random_projection", layer: str | None = None
) -> Float[Tensor, ""]:
    """Mean of (activation × the score's gradient)² over a layer's channels at the marked positions.

    At least 0, in squared units of the score. A position is marked if a marked pixel of any channel lies in its part of
    the image; channels cannot cancel each other. It is 0 exactly when no unit at a marked position is both active and
    influential, so it need not be 0 for a network that ignores the marked inputs but uses others at the same position.

    Args:
        layer: name of a layer; None for the last convolution with more than one place.

    Raises:
        UnsupportedModelError: no such convolution, or a layer or input that is not (batch, channel, height, width), or
            a layer with a single place.
    """
    assert batch.irrelevant is not None
    evidence = layer_attribution_of(forward, forward.target, layer=map_layer_of(forward, layer), score=score)
    is_marked = cells_touched(batch.irrelevant, (evidence.shape[2], evidence.shape[3]))
    return (evidence.square().mean(dim=1, keepdim=True) * is_marked).sum() / is_marked.sum().clamp_min(1)
