"""Feedback that contradicts the labels: without what was marked, the label can no longer be told.

After a correction the label of a reviewed row should still be likely when its marked inputs hold other rows' values.
Where it is then less likely than a guess by the classes' frequencies, and much less likely than on the row as it is,
the model needs what was marked: what shows the label was marked, or the correction was too weak. Somebody should look
at that row again.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.dataset import Dataset, all_labels
from corrigible.feedback.masks import Marks, Masks, marks_to_swap
from corrigible.protocols.swap_score import swap_log_likelihoods
from corrigible.protocols.weight import some_rows

NUM_ROWS, NUM_DONORS, NUM_NAMED = 500, 10, 5
LEAST_SHARE = 0.1
"""Of the reviewed rows; some rows are hard to tell whatever is marked."""


@dataclass(frozen=True)
class FeedbackDoubted:
    """Many reviewed rows need what was marked: feedback contradicts their labels, or the correction was too weak."""

    rows: tuple[int, ...]
    """Training rows to look at again, the least likely label first."""
    num_rows: int
    """How many reviewed rows were looked at."""
    message: str


def doubts(model: nn.Module, dataset: Dataset, marks: Marks, *, seed: int = 0) -> FeedbackDoubted | None:
    """What to look at again after a correction; None where at most a few rows are in doubt."""
    labels = all_labels(dataset)
    swaps = marks_to_swap(marks, labels)
    rows = some_rows(swaps.irrelevant.rows(labels), NUM_ROWS, seed)
    found = doubtful_rows(model, dataset, swaps, rows, seed=seed)
    if len(found) < max(LEAST_SHARE * len(rows), 2):
        return None
    named = ", ".join(map(str, found[:NUM_NAMED].tolist()))
    message = (
        f"on {len(found)} of {len(rows)} reviewed rows the label cannot be told any more when what must not matter is "
        "replaced: the feedback contradicts the labels, or the correction is too weak; look again at rows "
        f"{named}"
    )
    return FeedbackDoubted(tuple(found.tolist()), len(rows), message)


def doubtful_rows(
    model: nn.Module, dataset: Dataset, marks: Marks, rows: Int[Tensor, " row"], *, seed: int = 0
) -> Int[Tensor, " doubtful"]:
    """Those of the rows whose label is less likely than its class is frequent once marked inputs hold other values.

    And at least twice as likely on the row as it is: rows that are hard to tell anyway raise no doubt.
    """
    labels = all_labels(dataset)
    frequency = torch.bincount(labels).double() / len(labels)
    likelihood = swap_log_likelihoods(model, dataset, marks, rows, num_donors=NUM_DONORS, seed=seed)
    nothing = Masks(torch.zeros_like(marks.irrelevant.everywhere), {}, {})
    whole = swap_log_likelihoods(model, dataset, Marks(nothing, nothing), rows, num_donors=1, seed=seed)
    is_doubtful = (likelihood < frequency[labels[rows]].log()) & (whole - likelihood > math.log(2))
    return rows[is_doubtful][likelihood[is_doubtful].argsort()]
