"""95 % confidence intervals."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.arguments import whole_number

ENDS = (0.025, 0.975)
MOST_RESAMPLES = 10**5
"""Far beyond what the ends of an interval need; each resample measures everything anew."""


def require_few(num_resamples: Any) -> None:
    """Raises RecipeError for a number of resamples that is negative, or too large for the memory and the patience."""
    whole_number("num_resamples", num_resamples, 0, MOST_RESAMPLES)


def resamples(num_rows: int, num_resamples: int, seed: int) -> Iterator[Int[Tensor, " row"]]:
    """Bootstrap resamples: ``num_rows`` rows drawn with replacement; they depend only on ``num_rows`` and the seed."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(num_resamples):
        yield torch.randint(num_rows, (num_rows,), generator=generator)


def percentile_interval(draws: Float[Tensor, " sample *rest"]) -> Float[Tensor, " 2 *rest"]:
    """The lower and the upper end of the interval, from values on resamples of the rows (Efron 1979)."""
    return torch.from_numpy(np.quantile(draws.cpu().numpy(), ENDS, axis=0))


def bootstrapped_mean(
    values: Float[Tensor, " row *rest"], *, num_resamples: int = 1000, seed: int = 0
) -> Float[Tensor, " 2 *rest"]:
    """The percentile interval of the mean over the rows, in float64 on the CPU."""
    require_few(num_resamples)
    flat = values.detach().double().cpu().reshape(len(values), -1)
    counts = (index.bincount(minlength=len(flat)) for index in resamples(len(flat), num_resamples, seed))
    means = torch.stack([count.double() @ flat for count in counts]) / len(flat)
    return percentile_interval(means).view(2, *values.shape[1:])


def half_width(values: Float[np.ndarray, " row *rest"]) -> Float[np.ndarray, " *rest"] | None:
    """Half of Student's interval for the mean over the rows; None for a single row."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit  # Here, because not every command needs it.

    width: Float[np.ndarray, " *rest"] = (
        stdtrit(len(values) - 1, ENDS[1]) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    )
    return width


def share_interval(found: int, count: int) -> tuple[float, float]:
    """The interval of a share of which so many of ``count`` independent rows have it (Clopper and Pearson 1934).

    It holds at least 95 % of the time, whatever the share; none found of 100 leaves up to 0.036.
    """
    from scipy.special import betaincinv  # Here, because not every command needs it.

    low = betaincinv(found, count - found + 1, ENDS[0]) if found else 0.0
    high = betaincinv(found + 1, count - found, ENDS[1]) if found < count else 1.0
    return float(low), float(high)
