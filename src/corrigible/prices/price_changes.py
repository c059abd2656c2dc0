"""Who pays more and who pays less under new prices: by group, by tenth of the old price, and by both."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corrigible.arguments import whole_number
from corrigible.errors import DataError
from corrigible.figures import number, percent
from corrigible.html_table import table_html
from corrigible.prices.given import exposure_of, groups_of, in_words, numbers_of
from corrigible.prices.printed import printed_table
from corrigible.prices.resampled_sums import Interval, Sums, resampled_sums

TENTHS = 10
ROUNDING = 1e-9
"""The share of a price, or of a sum, below which a difference is 0."""
EXPOSURE, OLD, NEW, MORE, LESS, ROWS = range(6)


class PriceChange(NamedTuple):
    """How the prices of one part of a portfolio change."""

    group: str
    """Empty for all groups."""
    tenth: int
    """From 1, the lowest old prices, to 10; 0 for all prices."""
    rows: int
    exposure: float
    old: float
    """The sum of the old prices, each times its exposure."""
    new: float
    change: Interval
    """Of the sum, and so of the mean price, as a share of the old one."""
    more: Interval
    """The share of the exposure that pays clearly more."""
    less: Interval
    key: tuple[str, ...] = ()
    """The value of each attribute, by which groups that read alike are told apart; empty for all groups."""

    @property
    def part(self) -> str:
        """What it is about, in words."""
        tenth = "" if not self.tenth else f"tenth {self.tenth} of the old price"
        return ", ".join(filter(None, (self.group, tenth))) or "all"


@dataclass(frozen=True, repr=False)
class PriceChanges:
    """Who pays more and who pays less; a notebook shows a table. ``pandas.DataFrame(found.cells)`` is a frame."""

    total: PriceChange
    by_group: tuple[PriceChange, ...]
    by_tenth: tuple[PriceChange, ...]
    cells: tuple[PriceChange, ...]
    """Of each group and tenth that has rows."""
    more_than: float
    """The change from which a row pays clearly more, or less."""

    def __repr__(self) -> str:
        return printed_table(self._header(), self._rows(has_ends=False))

    def _repr_html_(self) -> str:
        return table_html(self._header(), self._rows())

    def _header(self) -> list[str]:
        by = percent(self.more_than, 0)
        means = ["mean price before", "mean price now", "change (95 % interval)"]
        shares = [f"pay over {by} more", f"pay over {by} less"]
        return ["part", "rows", "exposure", *means, *shares, "sum of the changes"]

    def _rows(self, *, has_ends: bool = True) -> list[list[str]]:
        """The cells of each part; in a terminal, which is narrow, shares stand without their intervals."""
        return [_cells(found, has_ends) for found in (self.total, *self.by_group, *self.by_tenth)]


def price_changes(
    old: Any,
    new: Any,
    groups: Any,
    *,
    exposure: Any = None,
    more_than: Any = 0.1,
    num_resamples: Any = 1000,
    seed: Any = 0,
) -> PriceChanges:
    """How prices change by group and by tenth of the old price, with 95 % intervals from resampling the rows.

    `plots.price_changes` draws them. Tenths have equal exposure; rows of one old price are in one tenth.

    Args:
        old, new: the prices of each row, above 0, per unit of exposure if there is one.
        groups: of each row; several columns of a frame count by their combinations, empty cells as "missing".
        exposure: of each row, 1 if None: means, shares and sums count by it.
        more_than: the change, as a share of the old price, above which a row pays clearly more, or less.

    Raises:
        DataError: prices that are not above 0, or another number of rows.
        RecipeError: ``num_resamples`` or ``seed`` is no such number.
    """
    _require_share(more_than)
    before = numbers_of("old", old, least=0.0, is_open=True)
    now = numbers_of("new", new, len(before), least=0.0, is_open=True)
    found, weight = groups_of(groups, len(before)), exposure_of(exposure, len(before))
    ratio = now / before - 1
    beyond = [weight * (ratio > more_than + ROUNDING), weight * (ratio < -more_than - ROUNDING)]
    numbers = np.stack([weight, weight * before, weight * now, *beyond, np.ones(len(weight))], axis=1)
    tenth = _tenths(before, weight)
    how = {"num_resamples": num_resamples, "seed": whole_number("seed", seed)}
    sums = resampled_sums(numbers, found.place * TENTHS + tenth, TENTHS * len(found.names), **how)
    places = [(key, range(TENTHS * k, TENTHS * (k + 1))) for k, key in enumerate(found.keys)]
    return PriceChanges(
        total=_change(sums, range(len(sums.found))),
        by_group=tuple(_change(sums, cells, key) for key, cells in places),
        by_tenth=_present(_change(sums, range(k, len(sums.found), TENTHS), (), k + 1) for k in range(TENTHS)),
        cells=_present(_change(sums, [p], key, k + 1) for key, ps in places for k, p in enumerate(ps)),
        more_than=more_than,
    )


def _require_share(more_than: Any) -> None:
    is_number = isinstance(more_than, Real) and not isinstance(more_than, bool)
    if not (is_number and 0 <= more_than < np.inf):
        raise DataError(f"more_than is {more_than!r}; expected a share of at least 0, such as 0.1")


def _tenths(prices: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """The tenth of each price, from 0 to 9, by the middle of its rank."""
    _, place = np.unique(prices, return_inverse=True)
    sums = np.bincount(place, weights=weight)
    rank = (sums.cumsum() - sums / 2) / sums.sum()
    found: NDArray[np.int64] = np.minimum((TENTHS * rank).astype(np.int64), TENTHS - 1)[place]
    return found


def _change(sums: Sums, parts: Sequence[int], key: tuple[str, ...] = (), tenth: int = 0) -> PriceChange:
    of = sums.over(list(parts))
    exposure, old, new, *_, rows = of.found
    return PriceChange(
        in_words(key),
        tenth,
        int(rows),
        float(exposure),
        float(old),
        float(new),
        change=of.ratio(lambda found: found[..., NEW] / found[..., OLD] - 1),
        more=of.ratio(lambda found: found[..., MORE] / found[..., EXPOSURE]),
        less=of.ratio(lambda found: found[..., LESS] / found[..., EXPOSURE]),
        key=key,
    )


def _present(changes: Any) -> tuple[PriceChange, ...]:
    return tuple(change for change in changes if change.rows)


def _cells(found: PriceChange, has_ends: bool) -> list[str]:
    means = [number(total / found.exposure) for total in (found.old, found.new)]
    shares = [str(share) if has_ends else percent(share.value) for share in (found.more, found.less)]
    by = 0.0 if abs(found.new - found.old) < ROUNDING * found.old else found.new - found.old
    return [found.part, f"{found.rows:,}", number(found.exposure), *means, str(found.change), *shares, number(by)]
