"""Which rows an estimator learns from, and which it holds out to say when to stop."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.dataset import TensorData, task_of
from corrigible.errors import RecipeError
from corrigible.estimators.distinct_rows import DistinctRows

LEAST_TO_HOLD_OUT = 200
"""Different rows below which none is held out: so few could neither be spared nor tell when to stop."""


def divided(
    data: TensorData, parts: DistinctRows, cluster: NDArray[np.int64] | None, *, fraction: float, seed: int
) -> tuple[Tensor, Tensor]:
    """The parts to learn from and those to watch: of each class, or quarter of the labels, the same share.

    All parts of a row are on the same side. So are all rows of a cluster, which counts where its highest label does;
    one cluster at least is held out of each class or quarter that has several.

    Args:
        cluster: of each part, numbers from 0 up without a gap; None if each row is one of its own.

    Raises:
        RecipeError: a fraction out of range.
    """
    if not 0 <= fraction < 1:
        raise RecipeError(f"validation_fraction is {fraction!r}; expected a number from 0 to below 1")
    number = torch.from_numpy(parts.number if cluster is None else cluster)
    stratum_of = torch.zeros(int(number.max()) + 1, dtype=torch.long)
    stratum_of.scatter_reduce_(0, number, task_of(data).strata(data.y), "amax")
    is_held = torch.zeros(len(stratum_of), dtype=torch.bool)
    generator = torch.Generator().manual_seed(seed)
    for stratum in stratum_of.unique() if parts.num_rows >= LEAST_TO_HOLD_OUT else ():
        members = (stratum_of == stratum).nonzero().flatten()
        least = int(cluster is not None and fraction > 0 and len(members) > 1)
        count = max(least, int(fraction * len(members)))
        is_held[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return (~is_held[number]).nonzero().flatten(), is_held[number].nonzero().flatten()
