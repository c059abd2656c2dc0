"""Measures of how well an attack tells members, with their intervals over rows."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.figures import number
from corrigible.intervals import ENDS, resamples
from corrigible.metrics.attack_success import attack_advantage, attack_auc, attack_tpr, attack_tpr_interval
from corrigible.types import Measurement

FALSE_POSITIVES = {"membership_tpr_at_1pct_fpr": 0.01, "membership_tpr_at_0.1pct_fpr": 0.001}
Scores = tuple[Float[Tensor, " member"], Float[Tensor, " other"]]
"""Higher where a row is taken for a member."""
Arrays = tuple[NDArray[np.float64], NDArray[np.float64]]


def success_of(scores: Scores, *, num_resamples: int, seed: int) -> tuple[Measurement, ...]:
    """AUC and advantage, with bootstrap intervals, and the share of members found with few false accusations."""
    members, others = (part.numpy(force=True) for part in scores)
    drawn = [(members[at], others[beside]) for at, beside in _drawn(len(members), len(others), num_resamples, seed)]
    count = len(members) + len(others)
    found = [
        Measurement(name, measure(members, others), *ends([measure(*pair) for pair in drawn]), count)
        for name, measure in (("membership_auc", attack_auc), ("membership_advantage", attack_advantage))
    ]
    return (*found, *(_with_few_accused(name, members, others) for name in FALSE_POSITIVES))


def auc_difference(
    name: str, less: Scores, more: Scores, *, num_resamples: int, seed: int, part: str = ""
) -> Measurement:
    """By how much the AUC of an attack that sees more is larger, with a paired bootstrap interval over the rows."""
    first, second = ([part.numpy(force=True) for part in scores] for scores in (less, more))

    def differ(members: NDArray[np.int64], others: NDArray[np.int64]) -> float:
        return attack_auc(second[0][members], second[1][others]) - attack_auc(first[0][members], first[1][others])

    sizes = len(first[0]), len(first[1])
    low, high = ends([differ(*pair) for pair in _drawn(*sizes, num_resamples, seed)])
    return Measurement(name, differ(*map(np.arange, sizes)), low, high, sum(sizes), part)


def ends(draws: list[float]) -> tuple[float | None, float | None]:
    """The percentile interval of values on resamples; none without any."""
    if not draws:
        return None, None
    low, high = np.quantile(draws, ENDS)
    return float(low), float(high)


def with_interval(found: Measurement, written: Callable[[float], str] = number) -> str:
    """The value with its interval, as text."""
    if found.value is None:
        return found.note or "not measured"
    if found.low is None or found.high is None:
        return written(found.value)
    return f"{written(found.value)} ({written(found.low)} to {written(found.high)})"


def _with_few_accused(name: str, members: NDArray[np.float64], others: NDArray[np.float64]) -> Measurement:
    fpr = FALSE_POSITIVES[name]
    found = attack_tpr(members, others, fpr)
    if found is None:
        need = f"{round(1 / fpr):,} other rows are needed, there are {len(others):,}"
        return Measurement(name, None, count=len(members), note=f"not measured: {need}")
    low, high = attack_tpr_interval(members, others, fpr) or (None, None)
    return Measurement(name, found, low, high, len(members))


def _drawn(
    num_members: int, num_others: int, num_resamples: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Resamples of members, and of others beside them; none of a single row, which would always be itself."""
    if min(num_members, num_others) < 2:
        return
    for at, beside in zip(
        resamples(num_members, num_resamples, seed), resamples(num_others, num_resamples, seed + 1), strict=True
    ):
        yield at.numpy(), beside.numpy()
