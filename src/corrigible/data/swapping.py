"""Replace the marked inputs of a row by other rows' values: what the model says then no longer rests on them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def swapped(
    x: Float[Tensor, " batch *input"], irrelevant: Bool[Tensor, " batch *input"], donors: Float[Tensor, " donor *input"]
) -> Float[Tensor, " batch donor *input"]:
    """Each row once per donor, with the donor's values where the row's inputs are irrelevant."""
    return torch.where(irrelevant[:, None], donors[None], x[:, None])


def draw_donors(num_rows: int, num_donors: int, seed: int) -> Tensor:
    """Positions of the rows to take values from, all different; fewer where there are not enough rows."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(num_rows, generator=generator)[:num_donors]
