"""Replace the marked inputs of a row by other rows' values, so that predictions cannot depend on them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def swapped(
    x: Float[Tensor, " batch *input"], irrelevant: Bool[Tensor, " batch *input"], donors: Float[Tensor, " donor *input"]
) -> Float[Tensor, " batch donor *input"]:
    """Copies of each row, one per donor, with the donor's values where the row's inputs are irrelevant."""
    return torch.where(irrelevant[:, None], donors[None], x[:, None])


def lent(
    x: Float[Tensor, " donor *input"], irrelevant: Bool[Tensor, " donor *input"]
) -> Float[Tensor, " donor *input"]:
    """What donors lend: all values; of an image with a marked background, only the background and its mean.

    Marks on more than half of an image are a background. The rest of such an image is what should tell its class; lent
    to another image, it would put a second object beside the first. It is replaced by each channel's mean. An image
    with a small mark lends all of its values, since a sticker must also be swapped for none. So do tables, whose
    numbers have different units, and texts, in which any word may replace another.
    """
    if x.ndim != 4:
        return x
    num_marked = irrelevant.sum(dim=(2, 3), keepdim=True)
    # In half precision, sums over many pixels overflow.
    precision = torch.promote_types(x.dtype, torch.float32)
    mean = torch.where(irrelevant, x, 0).sum(dim=(2, 3), keepdim=True, dtype=precision) / num_marked.clamp_min(1)
    is_lent = irrelevant | (num_marked == 0) | ~is_background(irrelevant)[:, None, None, None]
    return torch.where(is_lent, x, mean.to(x.dtype))


def is_background(marked: Bool[Tensor, " row *input"]) -> Bool[Tensor, " row"]:
    """True on rows of which more than half is marked."""
    return 2 * marked.flatten(1).sum(dim=1) > marked[0].numel()


def draw_donors(num_rows: int, num_donors: int, seed: int) -> Tensor:
    """Positions of the rows to take values from, all different; fewer if there are not enough rows."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(num_rows, generator=generator)[:num_donors]


def some_rows(rows: Tensor, most: int, seed: int) -> Tensor:
    """At most ``most`` of the rows, drawn from the seed because data sets are often sorted by class."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return rows[order[:most]]
