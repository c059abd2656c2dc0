"""How often a label row gets something of what was marked."""

from jaxtyping import Float, Int
from torch import Tensor


def chances(num_rows: Int[Tensor, " cue"]) -> Float[Tensor, " cue"]:
    """The chance of each cue, from the number of reviewed rows on which it is marked.

    Always, for a cue that is marked on half as many rows as the commonest one or more: a person who saw ten kinds of
    stamp meant all of them. Less for those that few rows mark: some masks are misplaced.
    """
    return (2 * num_rows / num_rows.max().clamp_min(1)).clamp_max(1) if len(num_rows) else num_rows.float()
