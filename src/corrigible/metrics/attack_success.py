"""Carlini et al. 2022, Membership inference attacks from first principles: how well scores tell members from others.

Members are the rows that a model was trained on. These compare scores of two data sets, so they are not among the
metrics of one. A score is higher where the attacker takes the row for a member; a row is called a member if its score
is at least a threshold. An attack that is right on average may be sure of nobody, so the share of members that are
found is measured where hardly anybody is accused wrongly.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.data.arrays import numbers
from corrigible.errors import DataError, RecipeError
from corrigible.intervals import share_interval


def roc(members: Any, others: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The false and the true positive rate at each threshold, from the highest score to the lowest, beginning at 0, 0.

    Args:
        members: one score per row that the model was trained on.
        others: one score per other row.

    Raises:
        DataError: no rows, or scores that are not one number per row.
    """
    told, untold = _scores("members", members), _scores("others", others)
    thresholds = np.unique(np.concatenate([told, untold]))[::-1]
    false, true = (
        np.concatenate([[0.0], 1 - np.searchsorted(np.sort(found), thresholds, "left") / len(found)])
        for found in (untold, told)
    )
    return false, true


def attack_auc(members: Any, others: Any) -> float:
    """The probability that a member has a higher score than another row; a tie counts half.

    The area under the ROC curve: 0.5 where scores tell nothing, 1 where they tell all.

    Args:
        members, others: as `roc` takes them.

    Raises:
        DataError: as `roc`.
    """
    false, true = roc(members, others)
    return float((np.diff(false) * (true[1:] + true[:-1]) / 2).sum())


def attack_advantage(members: Any, others: Any) -> float:
    """The largest difference of true and false positive rate over all thresholds, 0 to 1 (Yeom et al. 2018).

    It is chosen on these very rows, so with few rows it is above 0 even where scores tell nothing.

    Args:
        members, others: as `roc` takes them.

    Raises:
        DataError: as `roc`.
    """
    false, true = roc(members, others)
    return float((true - false).max())


def attack_tpr(members: Any, others: Any, fpr: float) -> float | None:
    """The share of members that are found where at most this share of the others is called a member, 0 to 1.

    None where there are so few others that not even one of them may be: fewer than 1 / fpr.

    Args:
        members, others: as `roc` takes them.
        fpr: the false positive rate, above 0 and below 1.

    Raises:
        DataError: as `roc`.
        RecipeError: a rate out of range.
    """
    if not 0 < fpr < 1:
        raise RecipeError(f"fpr is {fpr!r}; expected a share above 0 and below 1")
    false, true = roc(members, others)
    count = len(_scores("others", others))
    most = np.floor(fpr * count + 1e-9)
    return float(true[np.rint(false * count) <= most].max()) if most >= 1 else None


def attack_tpr_interval(members: Any, others: Any, fpr: float) -> tuple[float, float] | None:
    """The 95 % interval of `attack_tpr`, by Clopper and Pearson; None where that is.

    It is about the members: the threshold, which the others decide, counts as fixed.

    Args:
        members, others, fpr: as `attack_tpr` takes them.

    Raises:
        DataError, RecipeError: as `attack_tpr`.
    """
    found, count = attack_tpr(members, others, fpr), len(_scores("members", members))
    return None if found is None else share_interval(round(found * count), count)


def _scores(name: str, given: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = numbers(given, f"the scores of {name}").detach().cpu().double().numpy()
    if found.ndim != 1 or not len(found):
        raise DataError(f"the scores of {name} have shape {found.shape}; expected one number per row, and a row")
    if np.isnan(found).any():
        raise DataError(f"the score of {name} in row {int(np.isnan(found).argmax())} is NaN; leave such rows out")
    return found
