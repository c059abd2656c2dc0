"""How often a label row gets marked content."""

from jaxtyping import Float, Int
from torch import Tensor


def chances(num_rows: Int[Tensor, " cue"]) -> Float[Tensor, " cue"]:
    """The chance of each cue in [0, 1], from the number of reviewed rows on which it is marked.

    It is 1 for a cue that is marked on at least half as many rows as the most common one: a person who marked ten kinds
    of stamp meant all of them. It is lower for cues that few rows mark, because some masks are misplaced.
    """
    return (2 * num_rows / num_rows.max().clamp_min(1)).clamp_max(1) if len(num_rows) else num_rows.float()
