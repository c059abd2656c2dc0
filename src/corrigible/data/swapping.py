"""Replace the marked inputs of a row by other rows' values: what the model says then no longer rests on them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def swapped(
    x: Float[Tensor, " batch *input"], irrelevant: Bool[Tensor, " batch *input"], donors: Float[Tensor, " donor *input"]
) -> Float[Tensor, " batch donor *input"]:
    """Each row once per donor, with the donor's values where the row's inputs are irrelevant."""
    return torch.where(irrelevant[:, None], donors[None], x[:, None])


def lent(
    x: Float[Tensor, " donor *input"], irrelevant: Bool[Tensor, " donor *input"]
) -> Float[Tensor, " donor *input"]:
    """What rows have to lend: all values, but of an image with marks these alone, and their mean in place of the rest.

    The rest of such an image is what should tell its class: lent to another it would put a second object beside the
    other's own. The mean is each channel's. A table's numbers have units of their own, and any word may stand in the
    place of another: those are lent as they are.
    """
    if x.ndim != 4:
        return x
    num_marked = irrelevant.sum(dim=(2, 3), keepdim=True)
    # Half precision overflows where many pixels are added up.
    precision = torch.promote_types(x.dtype, torch.float32)
    mean = torch.where(irrelevant, x, 0).sum(dim=(2, 3), keepdim=True, dtype=precision) / num_marked.clamp_min(1)
    return torch.where(irrelevant | (num_marked == 0), x, mean.to(x.dtype))


def draw_donors(num_rows: int, num_donors: int, seed: int) -> Tensor:
    """Positions of the rows to take values from, all different; fewer where there are not enough rows."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(num_rows, generator=generator)[:num_donors]
