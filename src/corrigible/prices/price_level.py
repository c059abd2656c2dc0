"""The level of prices in each group: what was predicted over what was observed."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corrigible.arguments import whole_number
from corrigible.errors import DataError
from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.prices.given import exposure_of, groups_of, numbers_of
from corrigible.prices.printed import printed_table
from corrigible.prices.resampled_sums import Interval, resampled_sums

HEADER = ("group", "rows", "exposure", "observed mean", "predicted mean", "predicted over observed (95 % interval)")


class PriceLevel(NamedTuple):
    """Prices and observations of one group."""

    group: str
    rows: int
    exposure: float
    predicted: float
    """Mean, per unit of exposure."""
    observed: float
    ratio: Interval
    """Predicted over observed; NaN where nothing was observed."""


@dataclass(frozen=True, repr=False)
class PriceLevels:
    """The level of prices in all rows and in each group; a notebook shows a table."""

    total: PriceLevel
    by_group: tuple[PriceLevel, ...]

    def __repr__(self) -> str:
        return printed_table(HEADER, self._rows())

    def _repr_html_(self) -> str:
        return table_html(HEADER, self._rows())

    def _rows(self) -> list[list[str]]:
        return [
            [
                found.group,
                f"{found.rows:,}",
                *map(number, (found.exposure, found.observed, found.predicted)),
                str(found.ratio),
            ]
            for found in (self.total, *self.by_group)
        ]


def predicted_over_observed(
    predicted: Any, y: Any, groups: Any, *, exposure: Any = None, num_resamples: Any = 1000, seed: Any = 0
) -> PriceLevels:
    """What was predicted over what was observed, in each group, with 95 % intervals from resampling the rows.

    Above 100 % a group paid more than it cost. The interval covers chance in what was observed.

    Args:
        predicted: of each row, per unit of exposure if there is one: prices, means, or probabilities of a class.
        y: what was observed of each row, such as its claims; for a class 1 or 0.
        groups: of each row; several columns of a frame count by their combinations, empty cells as "missing".
        exposure: of each row; 1 if None.

    Raises:
        DataError: numbers that are not finite, another number of rows, or observations that do not sum to more than 0.
        RecipeError: ``num_resamples`` or ``seed`` is no such number.
    """
    prices = numbers_of("predicted", predicted)
    observed, weight = numbers_of("y", y, len(prices)), exposure_of(exposure, len(prices))
    if not observed.sum() > 0:
        raise DataError(f"y sums to {observed.sum():g}; expected more than 0, over which predictions are taken")
    found = groups_of(groups, len(prices))
    numbers = np.stack([weight, weight * prices, observed, np.ones(len(weight))], axis=1)
    how = {"num_resamples": num_resamples, "seed": whole_number("seed", seed)}
    sums = resampled_sums(numbers, found.place, len(found.names), **how)

    def level(name: str, parts: list[int]) -> PriceLevel:
        of = sums.over(parts)
        exposed, expected, seen, rows = of.found
        ratio = of.ratio(lambda sums: sums[..., 1] / sums[..., 2])
        ratio = ratio if seen > 0 else Interval(np.nan, np.nan, np.nan)
        return PriceLevel(name, int(rows), float(exposed), float(expected / exposed), float(seen / exposed), ratio)

    levels = tuple(level(name, [place]) for place, name in enumerate(found.names))
    return PriceLevels(level("all", list(range(len(found.names)))), levels)
