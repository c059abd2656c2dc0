"""Hendrycks and Gimpel 2017, a baseline for detecting misclassified and out-of-distribution examples.

These compare scores of two data sets, so they are not among the metrics of one. A score is higher where the network is
less sure: the entropy or the mutual information of its prediction, or minus its largest probability.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.data.arrays import numbers
from corrigible.errors import DataError


def ood_auroc(inside: Any, outside: Any) -> float:
    """The probability that a row from outside has a higher score than one from inside; a tie counts half.

    The area under the ROC curve with the rows from outside as positives: 0.5 where scores tell nothing.

    Args:
        inside: one score per row of the kind that was learned from, higher where the network is less sure.
        outside: one score per other row.

    Raises:
        DataError: no rows, or scores that are not one number per row.
    """
    known, other = np.sort(_scores("inside", inside)), _scores("outside", outside)
    twice_won = np.searchsorted(known, other, "left").sum() + np.searchsorted(known, other, "right").sum()
    return float(twice_won) / (2 * len(known) * len(other))


def fpr_at_95_tpr(inside: Any, outside: Any) -> float:
    """The share of rows from inside that are held for outside where 95 % of those from outside are found.

    A row counts as outside if its score is at least a threshold: the highest with which at least 95 % of the rows from
    outside are found. Rows that tie with it are all found. Some authors have the two sides the other way round.

    Args:
        inside, outside: as `ood_auroc` takes them.

    Raises:
        DataError: as `ood_auroc`.
    """
    known, other = _scores("inside", inside), np.sort(_scores("outside", outside))[::-1]
    threshold = other[-(-95 * len(other) // 100) - 1]
    return float((known >= threshold).mean())


def _scores(name: str, given: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = numbers(given, f"the scores {name}").detach().cpu().double().numpy()
    if found.ndim != 1 or not len(found):
        raise DataError(f"the scores {name} have shape {found.shape}; expected one number per row, and a row")
    if np.isnan(found).any():
        row = int(np.isnan(found).nonzero()[0][0])
        raise DataError(f"the score {name} of row {row} is NaN; drop such rows, or look at why the network gives it")
    return found
