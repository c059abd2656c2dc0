"""Template matching: the distance of each place of an image from a patch.

Sums of squared differences under a mask, computed from correlations; patches of one size are computed together.
"""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import conv2d


def patch_distances(
    x: Float[Tensor, " image channel height width"],
    patches: Float[Tensor, " patch channel rows columns"],
    masks: Bool[Tensor, " patch channel rows columns"],
) -> Float[Tensor, " image patch top left"]:
    """Mean squared difference between each patch's masked pixels and each image, the patch at each place inside it."""
    shares = masks.to(x)
    total = conv2d(x.square(), shares) - 2 * conv2d(x, shares * patches)
    total += (shares * patches.square()).flatten(1).sum(dim=1)[:, None, None]
    # Rounding can make a difference of 0 negative.
    return total.clamp_min_(0).div_(shares.flatten(1).sum(dim=1).clamp_min(1)[:, None, None])
