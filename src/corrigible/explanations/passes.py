"""Passes made in order to explain: in eval mode, with random draws that belong to the row's values."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.models.forward import Forward
from corrigible.models.modes import PrivateRandomness, evaluating
from corrigible.types import Batch, Columns


@contextmanager
def untouched(model: nn.Module, seed: int) -> Iterator[None]:
    """Gradients on, the model in eval mode, the random state private; afterwards all are as they were found."""
    with PrivateRandomness(seed), evaluating(model), torch.inference_mode(False), torch.enable_grad():
        yield


def pass_over(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    index: Int[Tensor, " batch"] | None = None,
    columns: Columns | None = None,
    seed: int = 0,
) -> Forward:
    """A pass over these rows; ``index`` says which draws they get, by default those of their values."""
    place = torch.arange(len(x), device=x.device)
    draws = (lambda: values_index(x)) if index is None else (lambda: index)
    return Forward(model, Batch(place, x, target, columns=columns), seed=seed, draws=draws)


def values_index(x: Float[Tensor, " batch *input"]) -> Int[Tensor, " batch"]:
    """A checksum of each row's values: the same row gets the same draws wherever it stands.

    Multilinear hashing (Carter and Wegman 1979) of the values as 32-bit floats.
    """
    bits = x.detach().float().flatten(1).contiguous().view(torch.int32).long()
    return (bits * _multipliers(bits.shape[1]).to(bits.device)).sum(dim=1) & (2**63 - 1)


@lru_cache(maxsize=8)
def _multipliers(count: int) -> Int[Tensor, " input"]:
    """Odd numbers of 63 bits that are always the same."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(2**62, size=count) * 2 + 1)
