"""The share of the Grad-CAM map (Selvaraju et al. 2017, equations 1 and 2) that lies where nothing should matter.

The map is divided by its own sum instead of being rescaled to [0, 1]: a network cannot lower the share by making the
map small, and the share is differentiable wherever the map is not 0. The channel weights are gradients that depend on
the parameters; they are differentiated too.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.attribution.grad_cam import class_map_of
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.explanations.marks.upsampling import map_share_on
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(looks_at="layers")
def grad_cam_overlap(
    forward: Forward, batch: Batch, *, score: str = "margin", layer: str | None = None
) -> Float[Tensor, ""]:
    """Share, from 0 to 1, of the enlarged Grad-CAM map on the inputs that must not matter, averaged over rows.

    It is 0 if the map is 0 on all marked pixels; the map of a network that ignores the marked inputs may still extend
    over them. Rows without marks are not counted; a row whose map is 0 everywhere gives 0. The sums over the enlarged
    map are computed at the layer's resolution, where they are equal. The margin includes the strongest other class, and
    its gradient does not vanish on rows of which the network is certain.

    Args:
        layer: name of a layer; None for the last convolution with more than one place.

    Raises:
        UnsupportedModelError: no such convolution, or a layer or input that is not (batch, channel, height, width), or
            a layer with a single place.
    """
    assert batch.irrelevant is not None
    heat = class_map_of(forward, forward.target, layer=layer, score=score).relu()
    return mean_over_marked(map_share_on(heat, batch.irrelevant), batch.irrelevant)
