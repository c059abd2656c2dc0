"""Proxies: how well the other columns tell a sensitive attribute, which of them do, and what is left without those.

A column can tell the attribute alone, only together with another one, or beside all others. Each is measured as the
share of the attribute's variance that is told of rows not looked at, and a column's strength is the largest of the
three: the first misses pairs of which neither tells anything alone, the last misses columns that stand in for one
another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from corrigible.auditing.cells import Cells, cells_of, crossed, folds_of, skill_of_cells
from corrigible.auditing.columns import Column, matrix_of, without
from corrigible.auditing.outcomes import Outcome, skill
from corrigible.auditing.telling import Told, told
from corrigible.boosting import Boosted

PARTS_OF_PAIRS = 8
"""Cells of each of two columns that are looked at together."""
MOST_OF_PAIRS = 40
"""Columns whose pairs are looked at, those that tell most alone first."""
LEAST_GAIN = 0.01
"""Share of the variance that a pair must tell beyond both of its columns."""
NUM_WITHOUT = 3
"""Columns that are taken away one after another."""
LEAST_STRENGTH = 0.01
"""Share of the variance that a column must tell to be named as a proxy."""
SHARE_TO_LEARN = 0.6
NUM_EXCHANGES = 40
"""How often the attribute is exchanged between rows, to see what chance lets a column tell alone."""


@dataclass(frozen=True)
class ProxyColumn:
    """What one column tells of the attribute, as shares of its variance, on rows not looked at."""

    name: str
    alone: float
    together: float
    """What it tells with ``partner`` beyond what each of the two tells alone; 0 if there is no such partner."""
    partner: str
    beside: float
    """What is lost if the column's values are exchanged between rows, of all columns together."""

    @property
    def strength(self) -> float:
        return max(self.alone, self.together, self.beside)


@dataclass(frozen=True)
class Proxies:
    """What tells an attribute."""

    attribute: str
    told: Told
    """By all other columns together."""
    columns: tuple[ProxyColumn, ...]
    """The strongest first."""
    left: tuple[tuple[str, Told], ...]
    """The first columns, and how well all others tell the attribute without it and those before, learned anew."""
    alone_by_chance: float = 0.0
    """The share that the most telling one tells alone if the attribute is exchanged between rows: 95 % are smaller."""

    @property
    def first(self) -> tuple[str, ...]:
        """The names of the strongest columns, at most three; none where no column tells a hundredth."""
        return tuple(column.name for column in self.columns[:NUM_WITHOUT] if column.strength >= LEAST_STRENGTH)


def proxies_of(attribute: str, columns: Mapping[str, Column], outcome: Outcome, seed: int) -> Proxies:
    """What the columns tell of the outcome.

    Args:
        columns: without the attribute itself.
    """
    rows = np.random.default_rng(seed).permutation(len(outcome.z))
    learn, test = np.split(rows, [int(SHARE_TO_LEARN * len(rows))])
    x, is_category = matrix_of(columns.values())
    model = Boosted(x[learn], outcome.z[learn], is_category, seed)
    of_test = outcome.at(test)
    ranked = _ranked(columns, outcome, _beside(model, x[test], of_test, seed), seed)
    by_chance = _alone_by_chance(columns, outcome, seed)
    found = Proxies(attribute, told(of_test, model.predict(x[test]), seed), tuple(ranked), (), by_chance)
    left = []
    for place, name in enumerate(found.first, start=1):
        others = without(columns, found.first[:place])
        if others:
            left.append((name, told_by(others, outcome, seed)))
    return replace(found, left=tuple(left))


def told_by(columns: Mapping[str, Column], outcome: Outcome, seed: int) -> Told:
    """How well these columns together tell the outcome of rows that were not learned from."""
    rows = np.random.default_rng(seed).permutation(len(outcome.z))
    learn, test = np.split(rows, [int(SHARE_TO_LEARN * len(rows))])
    x, is_category = matrix_of(columns.values())
    predicted = Boosted(x[learn], outcome.z[learn], is_category, seed).predict(x[test])
    return told(outcome.at(test), predicted, seed)


def _beside(model: Boosted, x: np.ndarray, outcome: Outcome, seed: int) -> list[float]:
    """What the boosting loses when the values of each column are exchanged between the rows."""
    rng, whole = np.random.default_rng(seed), skill(outcome.z, model.predict(x))
    found = []
    for place in range(x.shape[1]):
        exchanged = x.copy()
        exchanged[:, place] = rng.permutation(x[:, place])
        found.append(max(0.0, whole - skill(outcome.z, model.predict(exchanged))))
    return found


def _alone_by_chance(columns: Mapping[str, Column], outcome: Outcome, seed: int) -> float:
    """What the most telling column tells alone of an attribute that has nothing to do with any."""
    cells, folds = [cells_of(column) for column in columns.values()], folds_of(len(outcome.z), seed)
    rng = np.random.default_rng(seed)
    exchanged = [outcome.at(rng.permutation(len(outcome.z))) for _ in range(NUM_EXCHANGES)]
    return float(np.quantile([max(skill_of_cells(c, one, folds) for c in cells) for one in exchanged], 0.95))


def _ranked(columns: Mapping[str, Column], outcome: Outcome, beside: list[float], seed: int) -> list[ProxyColumn]:
    folds = folds_of(len(outcome.z), seed)
    alone = {name: max(0.0, skill_of_cells(cells_of(column), outcome, folds)) for name, column in columns.items()}
    together = _together(columns, outcome, alone, seed)
    found = [
        ProxyColumn(name, alone[name], *together.get(name, (0.0, "")), lost)
        for name, lost in zip(columns, beside, strict=True)
    ]
    return sorted(found, key=lambda column: -column.strength)


def _together(
    columns: Mapping[str, Column], outcome: Outcome, alone: Mapping[str, float], seed: int
) -> dict[str, tuple[float, str]]:
    """For each column that tells more with a partner than both alone: how much more, and the best partner."""
    folds = folds_of(len(outcome.z), seed)
    chosen = sorted(columns, key=lambda name: -alone[name])[:MOST_OF_PAIRS]
    coarse: dict[str, Cells] = {name: cells_of(columns[name], PARTS_OF_PAIRS) for name in chosen}
    found: dict[str, tuple[float, str]] = {}
    for one, other in combinations(chosen, 2):
        both = skill_of_cells(crossed(coarse[one], coarse[other]), outcome, folds)
        gain = both - alone[one] - alone[other]
        if gain < LEAST_GAIN:
            continue
        for name, partner in ((one, other), (other, one)):
            if gain > found.get(name, (0.0, ""))[0]:
                found[name] = (gain, partner)
    return found
