"""Bhatt, Weller and Moura 2020, Evaluating and aggregating feature-based model explanations: complexity."""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.quality._given import sizes_of


def complexity(attribution: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch"]:
    """Entropy, in nats, of the inputs' shares of |attribution|: 0 for a single non-zero input, at most log(inputs).

    NaN without any attribution.

    Raises:
        DataError: an attribution that is NaN or infinite.
    """
    size = sizes_of(attribution)
    share = size / size.sum(dim=1, keepdim=True)
    return -torch.xlogy(share, share).sum(dim=1)


def effective_inputs(attribution: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch"]:
    """The number of equally attributed inputs with the same entropy, exp(complexity) (Hill 1973), from 1 to all.

    NaN without any attribution.

    Raises:
        DataError: an attribution that is NaN or infinite.
    """
    return complexity(attribution).exp()
