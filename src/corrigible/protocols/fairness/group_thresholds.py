"""Hardt, Price and Srebro 2016, Equality of opportunity in supervised learning: a threshold for each group, chosen
after training; Cruz and Hardt 2024, Unprocessing seven years of algorithmic fairness, compare all methods with it.

Where a gap cannot be met by one threshold for each group, a group is decided by one of two, drawn by lot. The shares of
thresholds are the solution of a linear program: most accurate among those whose rates differ by no more than the gap.
It is a reference: unlike a penalty, it needs the attribute of every row that it decides about.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError, RecipeError

RATES = {"demographic_parity": (None,), "equal_opportunity": (1,), "equalized_odds": (0, 1)}
"""The labels whose rate of positive decisions is compared; None for all rows."""
MOST_THRESHOLDS = 150


@dataclass(frozen=True)
class GroupThresholds:
    """For each group thresholds of the probability, and how often each is used."""

    groups: tuple[int, ...]
    thresholds: Float[Tensor, " threshold"]
    shares: Float[Tensor, "group threshold"]

    def chances(self, probs: Float[Tensor, " row"], group: Int[Tensor, " row"] | None) -> Float[Tensor, " row"]:
        """The chance that each row is decided for class 1: 0 or 1, except where two thresholds are used.

        Args:
            probs: the probability of class 1.
            group: of each row.

        Raises:
            DataError: no groups, or one that had no threshold.
        """
        if group is None:
            raise DataError("thresholds by group need the group of every row that is decided; a penalty needs none")
        unknown = sorted(set(group.unique().tolist()) - set(self.groups))
        if unknown:
            raise DataError(f"group {unknown[0]} has no threshold; there are some for {list(self.groups)}")
        of_value = torch.zeros(max(self.groups) + 1, dtype=torch.long)
        of_value[torch.tensor(self.groups)] = torch.arange(len(self.groups))
        above = (probs.double()[:, None] > self.thresholds).double()
        return (above * self.shares[of_value[group]]).sum(dim=1)


def group_thresholds(
    probs: Float[Tensor, " row"],
    y: Int[Tensor, " row"],
    group: Int[Tensor, " row"],
    *,
    gap: float,
    penalty: str = "demographic_parity",
) -> GroupThresholds:
    """The most accurate thresholds by group whose rates differ by at most the gap, on these rows of two classes.

    Args:
        probs: the probability of class 1.
        y: the class, 0 or 1.
        penalty: "demographic_parity", "equal_opportunity" or "equalized_odds", by what is compared.

    Raises:
        RecipeError: another penalty, or a gap below 0.
        DataError: a group without rows of a label that is compared, or without any row.
    """
    if penalty not in RATES or not gap >= 0:
        raise RecipeError(f"penalty is {penalty!r} and gap {gap!r}; expected one of {', '.join(RATES)}, and at least 0")
    if y.min() < 0 or y.max() > 1:
        raise DataError(f"y holds class {int(y.max())}; thresholds are for two classes, 0 and 1")
    groups = tuple(group.unique().tolist())
    levels = torch.linspace(0, 1, MOST_THRESHOLDS - 1, dtype=torch.float64)
    thresholds = torch.cat([torch.quantile(probs.double(), levels).unique(), torch.tensor([-1.0], dtype=torch.float64)])
    right, rates = [], []
    for value in groups:
        rows = group == value
        above = (probs[rows].double()[:, None] > thresholds).double()
        right.append((above * y[rows, None] + (1 - above) * (1 - y[rows, None])).sum(dim=0))
        rates.append([_rate(above, y[rows], label, value) for label in RATES[penalty]])
    shares = _program(torch.stack(right), torch.stack([torch.stack(of) for of in rates]), gap)
    return GroupThresholds(groups, thresholds, shares)


def _rate(above: Tensor, y: Tensor, label: int | None, group: int) -> Float[Tensor, " threshold"]:
    rows = torch.ones_like(y, dtype=torch.bool) if label is None else y == label
    if not bool(rows.any()):
        raise DataError(f"group {group} has no row of class {label}, whose rate is compared; join it to another")
    return above[rows].mean(dim=0)


def _program(right: Tensor, rates: Tensor, gap: float) -> Float[Tensor, "group threshold"]:
    """The shares of thresholds: the most rows right, with each rate of all groups within the gap."""
    from scipy.optimize import linprog  # Here, because few need it.

    num_groups, num_rates, num_thresholds = rates.shape
    num_shares = num_groups * num_thresholds
    cost = np.concatenate([-right.flatten().numpy(), np.zeros(num_rates)])
    upper: list[Any] = []
    bounds: list[float] = []
    for place in range(num_groups):
        for rate in range(num_rates):
            row = np.zeros(num_shares + num_rates)
            row[place * num_thresholds : (place + 1) * num_thresholds] = rates[place, rate].numpy()
            row[num_shares + rate] = -1.0  # The least rate of all groups.
            upper += [row, -row]
            bounds += [gap, 0.0]
    sums = np.zeros((num_groups, num_shares + num_rates))
    for place in range(num_groups):
        sums[place, place * num_thresholds : (place + 1) * num_thresholds] = 1.0
    found = linprog(cost / max(float(right.max()), 1.0), np.array(upper), bounds, sums, np.ones(num_groups))
    if not found.success:
        raise DataError(
            f"no thresholds were found for {num_groups} groups ({found.message}); expected rates that can be brought "
            "within the gap: allow a larger gap, or join small groups"
        )
    return torch.from_numpy(found.x[:num_shares].reshape(num_groups, num_thresholds)).clamp_min(0.0)
