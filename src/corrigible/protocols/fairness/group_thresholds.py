"""Hardt, Price and Srebro 2016, Equality of opportunity in supervised learning: a threshold for each group, chosen
after training; Cruz and Hardt 2024, Unprocessing seven years of algorithmic fairness, compare all methods with it.

Where a gap cannot be met by one threshold for each group, a group is decided by one of two, drawn by lot. The shares of
thresholds are the solution of a linear program: most accurate among those whose rates differ by no more than the gap.
It is a reference: unlike a penalty, it needs the attribute of every row that it decides about.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError, RecipeError
from corrigible.figures import percent
from corrigible.protocols.fairness.row_values import values_of_rows

RATES = {"demographic_parity": (None,), "equal_opportunity": (1,), "equalized_odds": (0, 1)}
"""The labels whose rate of positive decisions is compared; None for all rows."""
MOST_THRESHOLDS = 150


@dataclass(frozen=True, repr=False)
class GroupThresholds:
    """For each group thresholds of the probability, and how often each is used."""

    groups: tuple[Any, ...]
    """The values of the attribute."""
    thresholds: Float[Tensor, " threshold"]
    shares: Float[Tensor, "group threshold"]

    def __repr__(self) -> str:
        used = [
            " or ".join(
                f"{self.thresholds[at]:.3g} ({percent(float(of[at]), 0)})"
                for at in (of > 1e-6).nonzero().flatten().tolist()
            )
            for of in self.shares
        ]
        parts = [f"{group}: above {found}" for group, found in zip(self.groups, used, strict=True)]
        return f"GroupThresholds({'; '.join(parts)})"

    def chances(self, probs: Any, group: Any) -> Float[Tensor, " row"]:
        """The chance that each row is decided for class 1: 0 or 1, except where two thresholds are used.

        Args:
            probs: the probability of class 1, (row,), in an array, a list or a tensor.
            group: of each row, likewise.

        Raises:
            DataError: no groups, one that had no threshold, or another number of rows.
        """
        if group is None:
            raise DataError("thresholds by group need the group of every row that is decided; a penalty needs none")
        chance, values = _probs(probs), values_of_rows("group", group)
        _require_as_many(probs=chance, group=values)
        places = {value: place for place, value in enumerate(self.groups)}
        unknown = [value for value in dict.fromkeys(values) if value not in places]
        if unknown:
            raise DataError(f"group {unknown[0]} has no threshold; there are some for {list(self.groups)}")
        of_value = torch.tensor([places[value] for value in values], dtype=torch.long)
        above = (chance[:, None] > self.thresholds).double()
        return (above * self.shares[of_value]).sum(dim=1)


def group_thresholds(
    probs: Any, y: Any, group: Any, *, gap: Any, penalty: str = "demographic_parity"
) -> GroupThresholds:
    """The most accurate thresholds by group whose rates differ by at most the gap, on these rows of two classes.

    All are arrays, lists or tensors of one value for each row.

    Args:
        probs: the probability of class 1, from 0 to 1.
        y: the class; of two names the second in the order of the alphabet is class 1.
        group: numbers, texts or truth values.
        penalty: "demographic_parity", "equal_opportunity" or "equalized_odds", by what is compared.

    Raises:
        RecipeError: another penalty, or a gap below 0.
        DataError: numbers that are no probabilities, other classes, different numbers of rows, or a group without rows
            of a label that is compared.
    """
    is_number = isinstance(gap, int | float) and not isinstance(gap, bool)
    if not isinstance(penalty, str) or penalty not in RATES or not is_number or not 0 <= gap < math.inf:
        raise RecipeError(f"penalty is {penalty!r} and gap {gap!r}; expected one of {', '.join(RATES)}, and at least 0")
    chance, label, values = _probs(probs), _labels(y), values_of_rows("group", group)
    _require_as_many(probs=chance, y=label, group=values)
    groups = tuple(sorted(set(values), key=lambda value: (str(type(value)), value)))
    levels = torch.linspace(0, 1, MOST_THRESHOLDS - 1, dtype=torch.float64)
    thresholds = torch.cat([torch.quantile(chance, levels).unique(), torch.tensor([-1.0], dtype=torch.float64)])
    right, rates = [], []
    for value in groups:
        rows = torch.tensor([of == value for of in values])
        above = (chance[rows][:, None] > thresholds).double()
        right.append((above * label[rows, None] + (1 - above) * (1 - label[rows, None])).sum(dim=0))
        rates.append([_rate(above, label[rows], of, value) for of in RATES[penalty]])
    shares = _program(torch.stack(right), torch.stack([torch.stack(of) for of in rates]), gap)
    return GroupThresholds(groups, thresholds, shares)


def _probs(given: Any) -> Float[Tensor, " row"]:
    expected = "expected the probability of class 1 of each row"
    if (shape := getattr(given, "shape", None)) is not None and len(shape) != 1:
        raise DataError(f"probs has shape {tuple(shape)}; {expected}, (row,)")
    values = values_of_rows("probs", given)
    if bad := [value for value in values if not isinstance(value, int | float) or not 0 <= value <= 1]:
        raise DataError(f"probs holds {bad[0]!r}; {expected}, from 0 to 1")
    return torch.tensor(values, dtype=torch.float64)


def _labels(given: Any) -> Int[Tensor, " row"]:
    values = values_of_rows("y", given)
    classes = sorted(set(values), key=lambda value: (str(type(value)), value))
    classes = [0, 1] if set(classes) <= {0, 1} else classes
    if len(classes) != 2:
        raise DataError(f"y holds {len(classes)} classes, {', '.join(map(str, classes[:3]))}; thresholds are for two")
    return torch.tensor([classes.index(value) for value in values], dtype=torch.long)


def _require_as_many(**given: Any) -> None:
    sizes = {name: len(values) for name, values in given.items()}
    if len(set(sizes.values())) != 1 or not next(iter(sizes.values())):
        raise DataError(f"rows: {', '.join(f'{name} {size}' for name, size in sizes.items())}; expected as many each")


def _rate(above: Tensor, y: Tensor, label: int | None, group: Any) -> Float[Tensor, " threshold"]:
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
