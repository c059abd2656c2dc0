"""Feedback to look at again: masks beside the cue, masks on what shows the class, or masks that contradict the labels.

Reviewed rows are checked against each other. Content that a model relies on draws rows that wear it to the class it is
from. If most masks hold such content, a mask that does not is beside the cue. After the correction, marked content
should no longer draw any row; content that still does may be what shows the class.

After a correction the label of a reviewed row should still be likely when its marked inputs hold other rows' values.
If it is then less likely than a guess by class frequency, and much less likely than on the row as found, the model
still needs the marked inputs: either the mask holds what shows the label, or the correction was too weak. A person
should look at that row again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import all_labels, strata_of, task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.data.swapping import some_rows
from corrigible.feedback.masks import Marks, Masks, marks_to_swap
from corrigible.protocols.corrections.exchanges import WORN
from corrigible.protocols.corrections.judge import Judge
from corrigible.protocols.corrections.judged import Judged
from corrigible.protocols.corrections.swap_score import swap_log_likelihoods

NUM_ROWS, NUM_DONORS, NUM_NAMED = 500, 10, 5
LEAST_SHARE = 0.25
"""Share of the reviewed rows below which no doubt is raised; some rows are hard to tell whatever is marked."""
LEAST_ATTRACTION, FAR_LESS, STILL = 0.1, 0.3, 0.3
"""Least attraction of the median mask; share of that below which a mask is doubted; attraction too large afterwards."""
LEAST_MASKS, LEAST_BESIDE = 3, 0.1
"""Least number of masks to compare, and least share of them in doubt: a single one may be chance."""
LEAST_WORN = 3
"""Least number of rows that wear a mask's content; masks with fewer are not assessed."""


@dataclass(frozen=True)
class FeedbackDoubted:
    """Reviewed rows whose masks a person should look at again, and why."""

    rows: tuple[int, ...]
    """Training rows to look at again, the most doubtful first."""
    num_rows: int
    """How many reviewed rows were looked at."""
    message: str


def beside_the_cue(judge: Judge, before: Judged) -> FeedbackDoubted | None:
    """Masks whose content hardly draws the uncorrected model to its class, while that of most others does."""
    drawn = _attraction_by_mask(judge, before)
    if len(drawn) < LEAST_MASKS:
        return None
    median = float(torch.tensor([mean for mean, _ in drawn.values()]).median())
    rows = [row for row, (mean, error) in drawn.items() if mean + error < FAR_LESS * median]
    if median < LEAST_ATTRACTION or len(rows) < max(2, LEAST_BESIDE * len(drawn)):
        return None
    rows.sort(key=lambda row: drawn[row][0])
    message = (
        f"{len(rows)} of the {len(drawn)} reviewed rows that could be compared seem to be marked beside the cue: "
        f"what is marked there hardly moves the model, what is marked on the others does; look again at {_named(rows)}"
    )
    return FeedbackDoubted(tuple(rows), len(drawn), message)


def shows_the_class(judge: Judge, after: Judged) -> FeedbackDoubted | None:
    """Masks whose content still draws the corrected model to its class, while that of most others no longer does."""
    drawn = _attraction_by_mask(judge, after)
    rows = [row for row, (mean, error) in drawn.items() if mean - error > STILL]
    rows.sort(key=lambda row: -drawn[row][0])
    if not rows:
        return None
    what = "label" if judge.task.logits is None else "class"
    message = (
        f"what is marked on {len(rows)} of {len(drawn)} reviewed rows still draws other rows to their {what}: the "
        f"mask may hold what shows the {what}; look again at {_named(rows)}"
    )
    return FeedbackDoubted(tuple(rows), len(drawn), message)


def _attraction_by_mask(judge: Judge, judged: Judged) -> dict[int, tuple[float, float]]:
    """How far each reviewed row's marked content draws rows of other classes to its own, with the standard error."""
    pull = judged.pull[judged.part == WORN]
    if len(pull) != len(judge.exchanges.wear_lead):  # Rows of a ranking that nothing could be compared with.
        return {}
    found = {}
    for place in judge.exchanges.wear_lead.unique().tolist():
        of_mask = pull[judge.exchanges.wear_lead == place]
        if len(of_mask) >= LEAST_WORN:
            error = float(of_mask.std()) / len(of_mask) ** 0.5
            found[int(judge.exchanges.reviewed.index[place])] = (float(of_mask.mean()), error)
    return found


def _named(rows: Sequence[int]) -> str:
    more = f" and {len(rows) - NUM_NAMED} more" if len(rows) > NUM_NAMED else ""
    return ("rows " if len(rows) > 1 else "row ") + ", ".join(map(str, rows[:NUM_NAMED])) + more


def doubts(model: nn.Module, dataset: Dataset, marks: Marks, *, seed: int = 0) -> FeedbackDoubted | None:
    """The reviewed rows to look at again after a correction; None if few or none are in doubt."""
    labels = strata_of(dataset)
    swaps = marks_to_swap(marks, labels)
    rows = some_rows(swaps.irrelevant.rows(labels), NUM_ROWS, seed)
    found = doubtful_rows(model, dataset, swaps, rows, seed=seed)
    if len(found) < max(LEAST_SHARE * len(rows), 2):
        return None
    message = (
        f"on {len(found)} of {len(rows)} reviewed rows the label can no longer be told when what must not matter is "
        "replaced: the feedback contradicts the labels, or the correction is too weak; look again at "
        f"{_named(found.tolist())}"
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


def doubtful_rows(
    model: nn.Module, dataset: Dataset, marks: Marks, rows: Int[Tensor, " row"], *, seed: int = 0
) -> Int[Tensor, " doubtful"]:
    """The rows whose label becomes less likely than by a guess once marked inputs hold other rows' values.

    A guess is the class frequency, or for other tasks the best constant. The label must also be at least twice as
    likely on the row as found: rows that are hard to tell raise no doubt.
    """
    guess = _guess(dataset, rows)
    likelihood = swap_log_likelihoods(model, dataset, marks, rows, num_donors=NUM_DONORS, seed=seed)
    nothing = Masks(torch.zeros_like(marks.irrelevant.everywhere), {}, {})
    whole = swap_log_likelihoods(model, dataset, Marks(nothing, nothing), rows, num_donors=1, seed=seed)
    is_doubtful = (likelihood < guess) & (whole - likelihood > math.log(2))
    return rows[is_doubtful][likelihood[is_doubtful].argsort()]
