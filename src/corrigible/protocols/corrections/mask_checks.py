"""Masks to look at again: beside the cue, or on what shows the class.

Reviewed rows are checked against each other. Content that a model relies on draws rows that wear it to the class it is
from. If most masks hold such content, a mask that does not is beside the cue. After the correction, marked content
should no longer draw any row; content that still does may be what shows the class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from corrigible.data.naming import rows_named
from corrigible.protocols.corrections.exchanges import WORN
from corrigible.protocols.corrections.judge import Judge
from corrigible.protocols.corrections.judged import Judged

NUM_NAMED = 5
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


def beside_the_cue(judge: Judge, before: Judged, files: Sequence[str] = ()) -> FeedbackDoubted | None:
    """Masks whose content hardly draws the uncorrected model to its class, while that of most others does.

    Args:
        files: of the training rows, to name them by.
    """
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
        "what is marked there hardly moves the model, what is marked on the others does; look again at "
        f"{rows_named(rows, files, most=NUM_NAMED)}"
    )
    return FeedbackDoubted(tuple(rows), len(drawn), message)


def shows_the_class(judge: Judge, after: Judged, files: Sequence[str] = ()) -> FeedbackDoubted | None:
    """Masks whose content still draws the corrected model to its class, while that of most others no longer does.

    Args:
        files: of the training rows, to name them by.
    """
    drawn = _attraction_by_mask(judge, after)
    rows = [row for row, (mean, error) in drawn.items() if mean - error > STILL]
    rows.sort(key=lambda row: -drawn[row][0])
    if not rows:
        return None
    what = "label" if judge.task.logits is None else "class"
    message = (
        f"what is marked on {len(rows)} of {len(drawn)} reviewed rows still draws other rows to their {what}: the "
        f"mask may hold what shows the {what}; look again at {rows_named(rows, files, most=NUM_NAMED)}"
    )
    return FeedbackDoubted(tuple(rows), len(drawn), message)


def _attraction_by_mask(judge: Judge, judged: Judged) -> dict[int, tuple[float, float]]:
    """How far each reviewed row's marked content draws rows of other classes to its own, with the standard error."""
    is_worn, found = judged.part == WORN, {}
    pull, lead = judged.pull[is_worn], judge.exchanges.wear_lead[judged.place[is_worn]]
    for place in lead.unique().tolist():
        of_mask = pull[lead == place]
        if len(of_mask) >= LEAST_WORN:
            error = float(of_mask.std()) / len(of_mask) ** 0.5
            found[int(judge.exchanges.reviewed.index[place])] = (float(of_mask.mean()), error)
    return found
