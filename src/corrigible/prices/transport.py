"""Chzhen, Denis, Hebiri, Oneto and Pontil 2020, Fair regression with Wasserstein barycenters; Jiang et al. 2020.

Strong demographic parity: the prices of all groups get one distribution, the one that is nearest to those of the
groups. Each row keeps its rank within its group. It needs the group of every row that is priced, and moves prices by
group also where the risks differ: a comparison, not a discrimination-free price.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import DataError
from corrigible.figures import percent
from corrigible.prices.balance import Balance, balance_to
from corrigible.prices.given import Groups, exposure_of, groups_of, in_words, numbers_of


def transported_prices(prices: Any, groups: Any, *, exposure: Any = None) -> "TransportedPrices":
    """The prices moved so that all groups have one distribution of prices; their sum stays.

    Needs the group of each row also when other rows are priced.

    Args:
        prices: of each row, per unit of exposure if there is one.
        groups: of each row; several columns of a frame count by their combinations, empty cells as "missing".
        exposure: of each row; distributions and the sum count by it. None for 1.

    Raises:
        DataError: prices or exposures that are not finite, a group of a single price, or one group only.
    """
    values = numbers_of("prices", prices)
    found, weight = groups_of(groups, len(values)), exposure_of(exposure, len(values))
    if len(found.names) < 2:
        raise DataError(f"groups holds one group, {found.names[0]!r}; expected at least two")
    tables = [_ranked(values, weight, found, place) for place in range(len(found.names))]
    shares = np.bincount(found.place, weights=weight) / weight.sum()
    raw = _moved(values, found, tables, shares)
    balance = balance_to(raw, values, weight)
    return TransportedPrices(balance(raw), found.keys, shares, tables, balance)


@dataclass(frozen=True, repr=False)
class TransportedPrices:
    """Prices of one distribution for all groups; made by the function."""

    prices: NDArray[np.float64]
    """Of the rows that were given."""
    keys: tuple[tuple[str, ...], ...]
    """The groups, each by the value of each attribute."""
    shares: NDArray[np.float64]
    """Of each group in the exposure."""
    tables: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    """The ranks, from 0 to 1, and the prices of each group."""
    balance: Balance

    def predict(self, prices: Any, groups: Any) -> NDArray[np.float64]:
        """The moved prices of other rows, whose groups are needed.

        Raises:
            DataError: a group that was not there, or a price outside those of its group, which has no rank.
        """
        values = numbers_of("prices", prices)
        found = groups_of(groups, len(values))
        names = tuple(map(in_words, self.keys))
        if odd := [key for key in found.keys if key not in self.keys]:
            raise DataError(f"group {in_words(odd[0])!r} was not there before; expected one of {', '.join(names)}")
        place = np.array([self.keys.index(key) for key in found.keys])[found.place]
        least, most = (np.array([known[end] for _, known in self.tables])[place] for end in (0, -1))
        if (outside := (values < least) | (values > most)).any():
            row = int(outside.argmax())
            raise DataError(
                f"price {values[row]:.6g} of row {row} has no rank in group {names[place[row]]!r}, whose prices went "
                f"from {least[row]:.6g} to {most[row]:.6g}; expected prices between them: clip them, or move all anew"
            )
        return self.balance(_moved(values, Groups(place, self.keys), self.tables, self.shares))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{in_words(key)} {percent(share)}" for key, share in zip(self.keys, self.shares, strict=True)
        )
        return f"prices of one distribution for all groups ({shown}); {self.balance}; needs the group of each row"


def _ranked(
    values: NDArray[np.float64], weight: NDArray[np.float64], groups: Groups, place: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middle ranks of a group's different prices, by exposure, and the prices."""
    rows = groups.place == place
    distinct, at = np.unique(values[rows], return_inverse=True)
    if len(distinct) < 2:
        raise DataError(f"group {groups.names[place]!r} has a single price; expected several: join it to another group")
    sums = np.bincount(at, weights=weight[rows])
    return (sums.cumsum() - sums / 2) / sums.sum(), distinct


def _moved(
    values: NDArray[np.float64],
    groups: Groups,
    tables: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """For each row the mean, by the groups' shares, of the prices at its rank in every group."""
    rank = np.empty(len(values))
    for place, (ranks, prices) in enumerate(tables):
        rows = groups.place == place
        rank[rows] = np.interp(values[rows], prices, ranks)
    at_rank = [share * np.interp(rank, ranks, prices) for share, (ranks, prices) in zip(shares, tables, strict=True)]
    found: NDArray[np.float64] = np.sum(at_rank, axis=0)
    return found
