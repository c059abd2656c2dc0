"""Find the same content again: how far each place of an image is from a patch.

Template matching by sums of squared differences under a mask, from three correlations.
"""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import conv2d


def patch_distances(
    x: Float[Tensor, " image channel height width"],
    patch: Float[Tensor, " channel rows columns"],
    mask: Bool[Tensor, " channel rows columns"],
) -> Float[Tensor, " image top left"]:
    """Mean squared difference between the patch's masked pixels and the image, the patch at each place inside it."""
    mask = mask.to(x)
    squares = conv2d(x.square(), mask[None]) - 2 * conv2d(x, (mask * patch)[None])
    total = squares[:, 0] + (mask * patch.square()).sum()
    # Rounding can bring a difference of nothing below 0.
    return total.clamp_min(0) / mask.sum().clamp_min(1)
