"""Choose the weight of a penalty so that a gap between groups is reached at the least loss.

Weights lie on a grid of factors of the fourth root of 2. From the first one the search goes up by factors of 4 until
the gap is reached, or down while it is, and then halves the way between the largest weight that does not reach it and
the smallest that does, until the gap there is little below the one asked for. A penalty looks at soft decisions, so
that a very large weight may overshoot; then the search goes on around the smallest gap. Of all weights that reach the
gap, the one with the least loss is chosen.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

STRIDE, MOST_STRIDES = 8, 6
"""Places of the grid between the first weights, and how many of these are tried in a direction."""
NEAR = 0.9
"""A gap of at least this share of the one asked for, and not above it, needs no smaller weight."""


@dataclass(frozen=True)
class GapTrial:
    """One short run with one weight, on rows that it did not learn from."""

    weight: float
    gap: float
    loss: float
    quality: float | None = None


@dataclass(frozen=True)
class GapSearch:
    """The weights that were tried for a gap, in this order."""

    asked: float
    trials: tuple[GapTrial, ...]

    @property
    def has_reached(self) -> bool:
        return any(trial.gap <= self.asked for trial in self.trials)

    @property
    def chosen(self) -> GapTrial:
        """The trial with the least loss of those that reach the gap; that with the least gap if none does."""
        reaching = [trial for trial in self.trials if trial.gap <= self.asked]
        if reaching:
            return min(reaching, key=lambda trial: trial.loss)
        return min(self.trials, key=lambda trial: trial.gap)


def on_fine_grid(start: float, place: int) -> float:
    """The weight at a place of the grid, rounded to three significant digits."""
    return float(f"{start * 2 ** (place / 4):.2e}")


def search_weight(tried: Callable[[float], GapTrial], *, start: float, asked: float) -> GapSearch:
    """The trials, of which one is to be chosen.

    Args:
        tried: the trial of a weight.
        start: the first weight, above 0.
        asked: the gap.
    """
    found: dict[int, GapTrial] = {}
    for place in _places(found, asked):
        found[place] = tried(on_fine_grid(start, place))
    return GapSearch(asked, tuple(trial for trial in found.values() if math.isfinite(trial.gap)))


def _places(found: dict[int, GapTrial], asked: float) -> Iterator[int]:
    """Each place to try; the caller puts its trial into ``found`` before the next is asked for."""

    def reaches(place: int) -> bool:
        return found[place].gap <= asked

    yield 0
    step, end = (-STRIDE, 0) if reaches(0) else (STRIDE, 0)
    falls = reaches(0)
    while reaches(end) == falls and abs(end) < STRIDE * MOST_STRIDES and not _is_past(found, falls):
        end += step
        yield end
    if not any(map(reaches, found)):
        best = min(found, key=lambda place: found[place].gap)
        for place in (best - STRIDE // 2, best + STRIDE // 2):
            if place not in found:
                yield place
    yield from _halved(found, asked)


def _is_past(found: dict[int, GapTrial], falls: bool) -> bool:
    """Whether the gap has grown at the last two weights, each larger than the one before: these overshoot."""
    gaps = [found[place].gap for place in sorted(found)]
    return not falls and len(gaps) > 2 and gaps[-1] > gaps[-2] > gaps[-3]


def _halved(found: dict[int, GapTrial], asked: float) -> Iterator[int]:
    while True:
        reaching = [place for place, trial in found.items() if trial.gap <= asked]
        high = min(reaching, default=None)
        low = max((place for place in found if high is not None and place < high), default=None)
        if high is None or low is None or high - low < 2 or found[high].gap >= NEAR * asked:
            return
        yield (high + low) // 2
