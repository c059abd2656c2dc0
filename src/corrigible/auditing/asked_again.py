"""Whether answers depend on the row alone; an audit compares them, and means nothing where they do not."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from corrigible.auditing.columns import Numbers
from corrigible.auditing.subject import Subject
from corrigible.errors import UnsupportedModelError
from corrigible.figures import short_number

NUM_ROWS = 100
OF_SPREAD, OF_SIZE = 1e-3, 1e-5
"""A difference is rounding below this share of the mean distance of predictions from their mean, or of the largest."""


def require_own_answers(
    subject: Subject, frame: pd.DataFrame, scores: Numbers, row_names: Sequence[str], seed: int
) -> None:
    """Ask about some rows again, in another order and among fewer rows, twice.

    Raises:
        UnsupportedModelError: the answers differ between the two times, or from those among all rows.
    """
    rows = np.random.default_rng(seed).permutation(len(frame))[:NUM_ROWS]
    first, second = (subject.checked(frame.iloc[rows]) for _ in range(2))
    limit = OF_SPREAD * float(np.abs(scores - scores.mean(axis=0)).mean()) + OF_SIZE * float(np.abs(scores).max())
    for before, after, when, advice in (
        (first, second, "when asked again", "fix its random numbers, or average them"),
        (scores[rows], first, "among fewer rows in another order", "let it predict each row by itself"),
    ):
        differs = np.abs(before - after).max(axis=1)
        worst = int(differs.argmax())
        if differs[worst] > limit:
            part = int(np.abs(before - after)[worst].argmax())
            said, then = (short_number(float(answers[worst, part])) for answers in (before, after))
            raise UnsupportedModelError(
                f"the model predicts {said} of row {row_names[rows[worst]]}, and {then} {when}; an audit compares "
                f"predictions: {advice}"
            )
