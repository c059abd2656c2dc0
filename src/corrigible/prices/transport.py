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
from corrigible.prices.given import Groups, exposure_of, groups_of, numbers_of


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
    return TransportedPrices(balance(raw), found.names, shares, tables, balance)


@dataclass(frozen=True, repr=False)
class TransportedPrices:
    """Prices of one distribution for all groups; made by the function."""

    prices: NDArray[np.float64]
    """Of the rows that were given."""
    names: tuple[str, ...]
    shares: NDArray[np.float64]
    """Of each group in the exposure."""
    tables: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    """The ranks, from 0 to 1, and the prices of each group."""
    balance: Balance

    def predict(self, prices: Any, groups: Any) -> NDArray[np.float64]:
        """The moved prices of other rows, whose groups are needed.

        Raises:
            DataError: a group that was not there.
        """
        values = numbers_of("prices", prices)
        found = groups_of(groups, len(values))
        if odd := [name for name in found.names if name not in self.names]:
            raise DataError(f"group {odd[0]!r} was not there before; expected one of {', '.join(self.names)}")
        place = np.array([self.names.index(name) for name in found.names])[found.place]
        return self.balance(_moved(values, Groups(place, self.names), self.tables, self.shares))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {percent(share)}" for name, share in zip(self.names, self.shares, strict=True))
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
