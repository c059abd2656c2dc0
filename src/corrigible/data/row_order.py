"""An order of rows that depends only on their values, so that draws do not depend on the order given."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def in_order_of_values(x: Float[Tensor, " batch *input"], *others: Tensor) -> Int[Tensor, " batch"]:
    """Positions of the rows, sorted by their first input, then the second, and so on; ties by the ``others``."""
    keys = [x.detach().flatten(1), *(other.detach().reshape(len(x), -1) for other in others)]
    columns = torch.cat([key.cpu().double() for key in keys], dim=1).numpy()
    # The last key of lexsort is the primary one.
    return torch.from_numpy(np.lexsort(columns.T[::-1])).to(x.device)
