"""Label conflicts: reviewed rows whose label the corrected model cannot predict without the marked inputs.

After a correction the label of a reviewed row should still be likely when its marked inputs hold other rows' values.
If it is then less likely than a guess by class frequency, and much less likely than on the row as found, the model
still needs the marked inputs: either the mask holds what shows the label, or the correction was too weak. A person
should look at that row again.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import all_labels, strata_of, task_of
from corrigible.data.naming import rows_named
from corrigible.data.protocol import Dataset, extra_of, files_of
from corrigible.data.swapping import some_rows
from corrigible.feedback.masks import Marks, Masks, marks_to_swap
from corrigible.protocols.corrections.mask_checks import NUM_NAMED, FeedbackDoubted
from corrigible.protocols.corrections.swap_score import swap_log_likelihoods

NUM_ROWS, NUM_DONORS = 500, 10
LEAST_SHARE = 0.25
"""Share of the reviewed rows below which no conflict is reported; some rows are hard to predict whatever is marked."""


def label_conflicts(model: nn.Module, dataset: Dataset, marks: Marks, *, seed: int = 0) -> FeedbackDoubted | None:
    """The reviewed rows whose masks and labels conflict after a correction; None if there are few or none.

    None also for tasks whose loss is no likelihood, quantiles and rankings: there it is not measured.
    """
    if not task_of(dataset).is_likelihood:
        return None
    labels = strata_of(dataset)
    swaps = marks_to_swap(marks, labels)
    rows = some_rows(swaps.irrelevant.rows(labels), NUM_ROWS, seed)
    found = conflicting_rows(model, dataset, swaps, rows, seed=seed)
    if len(found) < max(LEAST_SHARE * len(rows), 2):
        return None
    message = (
        f"on {len(found)} of {len(rows)} marked rows the label can no longer be predicted when what must not matter "
        "is replaced: the feedback contradicts the labels, or the correction is too weak; look again at "
        f"{rows_named(found.tolist(), files_of(dataset), most=NUM_NAMED)}"
    )
    return FeedbackDoubted(tuple(found.tolist()), len(rows), message)


def _guess(dataset: Dataset, rows: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
    """The log-likelihood of each row's label by a guess that looks at no input."""
    task, labels = task_of(dataset), all_labels(dataset)
    if task.logits is not None:
        frequency = torch.bincount(labels).double() / len(labels)
        return frequency[labels[rows]].log()
    outputs = torch.tensor(task.start[0], dtype=torch.float64).expand(len(rows), -1)
    extra = {name: values[rows].cpu() for name, values in extra_of(dataset).items()}
    return -task.loss(outputs, labels[rows], extra).double()


def conflicting_rows(
    model: nn.Module, dataset: Dataset, marks: Marks, rows: Int[Tensor, " row"], *, seed: int = 0
) -> Int[Tensor, " conflicting"]:
    """The rows whose label becomes less likely than by a guess once marked inputs hold other rows' values.

    A guess is the class frequency, or for other tasks the best constant. The label must also be at least twice as
    likely on the row as found: rows that are hard to predict are no conflict.
    """
    guess = _guess(dataset, rows)
    likelihood = swap_log_likelihoods(model, dataset, marks, rows, num_donors=NUM_DONORS, seed=seed)
    nothing = Masks(torch.zeros_like(marks.irrelevant.everywhere), {}, {})
    whole = swap_log_likelihoods(model, dataset, Marks(nothing, nothing), rows, num_donors=1, seed=seed)
    is_conflicting = (likelihood < guess) & (whole - likelihood > math.log(2))
    return rows[is_conflicting][likelihood[is_conflicting].argsort()]
