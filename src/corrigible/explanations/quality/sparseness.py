"""Chalasani et al. 2020, Concise explanations of neural networks using adversarial training: the Gini index."""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.quality._given import sizes_of
from corrigible.explanations.quality._order import ascending_of


def sparseness(attribution: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch"]:
    """Gini index of |attribution|: 0 if all inputs have the same size, 1 − 1/inputs if only one is not 0.

    NaN without any attribution.

    Raises:
        DataError: an attribution that is NaN or infinite.
    """
    ascending = ascending_of(sizes_of(attribution))
    num_inputs = ascending.shape[1]
    larger_share = (num_inputs - torch.arange(1, num_inputs + 1) + 0.5) / num_inputs
    return 1 - 2 * (ascending * larger_share).sum(dim=1) / ascending.sum(dim=1)
