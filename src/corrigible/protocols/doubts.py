"""Feedback that contradicts the labels: without what was marked, the label can no longer be told.

After a correction the label of a reviewed row should still be likely when its marked inputs hold other rows' values.
Where it is less likely than a guess by the classes' frequencies, what shows the label was marked, or the label is
wrong: somebody should look at that row again.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.dataset import Dataset, all_labels
from corrigible.feedback.masks import Marks, marks_to_swap
from corrigible.protocols.swap_score import swap_log_likelihoods
from corrigible.protocols.weight import some_rows

NUM_ROWS, NUM_DONORS, NUM_NAMED = 500, 10, 5
LEAST_SHARE = 0.1
"""Of the reviewed rows; some rows are hard to tell whatever is marked."""


@dataclass(frozen=True)
class FeedbackDoubted:
    """Feedback and labels contradict each other on many rows."""

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
        f"feedback and labels contradict each other on {len(found)} of {len(rows)} reviewed rows: when what must not "
        f"matter there is replaced, their label is less likely than a guess; look again at rows {named}"
    )
    return FeedbackDoubted(tuple(found.tolist()), len(rows), message)


def doubtful_rows(
    model: nn.Module, dataset: Dataset, marks: Marks, rows: Int[Tensor, " row"], *, seed: int = 0
) -> Int[Tensor, " doubtful"]:
    """Those of the rows whose label is less likely than its class is frequent once marked inputs hold other values."""
    labels = all_labels(dataset)
    frequency = torch.bincount(labels).double() / len(labels)
    likelihood = swap_log_likelihoods(model, dataset, marks, rows, num_donors=NUM_DONORS, seed=seed)
    is_doubtful = likelihood < frequency[labels[rows]].log()
    return rows[is_doubtful][likelihood[is_doubtful].argsort()]
