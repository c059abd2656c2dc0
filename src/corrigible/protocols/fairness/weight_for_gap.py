"""Choose the weight of a penalty so that a gap between groups is reached at the least loss.

Weights lie on a grid of factors of the fourth root of 2. From the first one the search goes up by factors of 4 until
the gap is reached, or down while it is, and then halves the way between the largest weight that does not reach it and
the smallest that does, until the gap there is little below the one asked for. A penalty looks at soft decisions, so
that a large weight may overshoot and open the gap the other way: where the gap has grown from one weight to the next,
those between are tried before larger ones. Of all weights that reach the gap, the one with the least loss is chosen.
A gap is closed also by predicting hardly anything: what is worse than the best constant guess reaches nothing.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
    least_quality: float = -math.inf
    """Trials of less predict worse than a constant guess."""

    def reaches(self, trial: GapTrial) -> bool:
        """Whether the gap is at most the one asked for, and the trial predicts something."""
        return trial.gap <= self.asked and self._predicts(trial)

    @property
    def has_reached(self) -> bool:
        return any(map(self.reaches, self.trials))

    @property
    def chosen(self) -> GapTrial:
        """The trial with the least loss of those that reach the gap; that with the least gap if none does."""
        reaching = list(filter(self.reaches, self.trials))
        if reaching:
            return min(reaching, key=lambda trial: trial.loss)
        return min(list(filter(self._predicts, self.trials)) or self.trials, key=lambda trial: trial.gap)

    def _predicts(self, trial: GapTrial) -> bool:
        return trial.quality is None or trial.quality >= self.least_quality


def on_fine_grid(start: float, place: int) -> float:
    """The weight at a place of the grid, rounded to three significant digits."""
    return float(f"{start * 2 ** (place / 4):.2e}")


def search_weight(
    tried: Callable[[float], GapTrial], *, start: float, asked: float, least_quality: float = -math.inf
) -> GapSearch:
    """The trials, of which one is to be chosen.

    Args:
        tried: the trial of a weight.
        start: the first weight, above 0.
        asked: the gap.
        least_quality: that of the best constant guess.
    """
    found: dict[int, GapTrial] = {}
    search = GapSearch(asked, (), least_quality)
    for place in _places(found, search):
        found[place] = tried(on_fine_grid(start, place))
    return replace(search, trials=tuple(trial for trial in found.values() if math.isfinite(trial.gap)))


def _places(found: dict[int, GapTrial], search: GapSearch) -> Iterator[int]:
    """Each place to try; the caller puts its trial into ``found`` before the next is asked for."""

    def reaches(place: int) -> bool:
        return search.reaches(found[place])

    yield 0
    falls = reaches(0)
    for end in range(STRIDE, STRIDE * (MOST_STRIDES + 1), STRIDE):
        place = -end if falls else end
        yield place
        if reaches(place) != falls:
            break
        if not falls and found[place].gap > found[place - STRIDE].gap:
            yield from _around_the_least(found, search)
            if any(map(reaches, found)) or _is_past(found):
                break
    yield from _halved(found, search)


def _around_the_least(found: dict[int, GapTrial], search: GapSearch) -> Iterator[int]:
    """Places on both sides of the smallest gap, each closer to it, until one reaches the gap."""
    step = STRIDE // 2
    while step and not any(search.reaches(trial) for trial in found.values()):
        best = min(found, key=lambda place: found[place].gap)
        yield from (place for place in (best - step, best + step) if place not in found)
        step //= 2


def _is_past(found: dict[int, GapTrial]) -> bool:
    """Whether the gap has grown at the last two of the first weights, each larger than the one before."""
    gaps = [found[place].gap for place in sorted(found) if place % STRIDE == 0]
    return len(gaps) > 2 and gaps[-1] > gaps[-2] > gaps[-3]


def _halved(found: dict[int, GapTrial], search: GapSearch) -> Iterator[int]:
    while True:
        high = min((place for place, trial in found.items() if search.reaches(trial)), default=None)
        low = max((place for place in found if high is not None and place < high), default=None)
        if high is None or low is None or high - low < 2 or found[high].gap >= NEAR * search.asked:
            return
        yield (high + low) // 2
