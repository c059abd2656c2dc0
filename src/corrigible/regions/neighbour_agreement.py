"""How surely a region tells the label by itself: its nearest neighbours among the other rows have the same one.

What an image shows moves and changes from row to row, so that few pixels at a fixed place tell little; a stamp, a ruler
or a leaking column tells the label alone.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NUM_NEIGHBOURS = 20


def neighbour_agreement(
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    region: Bool[Tensor, " *input"],
    *,
    num_rows: int | None = None,
) -> Float[Tensor, " row"]:
    """How much oftener a row's nearest neighbours in the region have its label than any other row has.

    1 where all of them have it, 0 where they have it as often as all other rows, below where less often. Neighbours are
    the twenty other rows with the most similar values in the region (Euclidean distance), and all that are as near as
    the twentieth: in a region that is blank on most rows these are all that are blank.

    Args:
        num_rows: look at the first rows only, among all others.
    """
    values = x[:, region].double()
    y = y.to(x.device)
    looked_at, others = values[:num_rows], len(x) - 1
    apart = torch.cdist(looked_at, values, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    farthest = apart.kthvalue(min(NUM_NEIGHBOURS, others), dim=1).values
    is_near = apart <= farthest[:, None]
    is_same = y[: len(looked_at), None] == y[None]
    agreeing = (is_near & is_same).sum(dim=1) / is_near.sum(dim=1)
    chance = (is_same.sum(dim=1) - 1) / others
    lift = (agreeing - chance) / (1 - chance)
    return torch.where(chance < 1, lift, torch.zeros_like(lift)).cpu()
