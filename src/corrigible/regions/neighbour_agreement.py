"""How well a region alone predicts the label: whether a row's nearest neighbours in the region have the same label.

The object in an image moves and changes from row to row, so a few pixels at a fixed place tell little; a stamp, a ruler
or a leaking column predicts the label by itself.
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
    """How much more often a row's nearest neighbours in the region have its label than the other rows do.

    1 if all of them have it, 0 if they have it as often as all other rows, negative if less often. Neighbours are the
    twenty other rows with the most similar values in the region (Euclidean distance), and all that are as near as the
    twentieth: in a region that is blank on most rows, these are all rows that are blank there.

    Args:
        num_rows: return values for the first ``num_rows`` rows only; neighbours are still sought among all rows.
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
