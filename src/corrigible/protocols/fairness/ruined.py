"""Whether a model whose gap was closed still predicts: a gap is closed, too, by deciding alike about all rows."""

from dataclasses import replace

import torch

from corrigible.figures import number
from corrigible.protocols.fairness.judged_groups import JudgedGroups

LEAST_SHARE = 1 / 3
"""Of what the model explained beyond the best constant guess, how much must be left."""
LEAST_GAIN = 0.02
"""Where the model itself explains less than this beyond a constant guess, nothing is said."""


def ruined(before: JudgedGroups, after: JudgedGroups, on_trial: float | None = None) -> str:
    """What is said of a model that closed its gap by predicting hardly anything; "" for one that still predicts.

    Args:
        before, after: both models on the same rows.
        on_trial: the quality on rows that a trial with the same weight did not learn from, if any.
    """
    guess, was = quality_of_guess(before), before.quality
    is_of_trials = on_trial is not None and on_trial < after.quality
    now = on_trial if is_of_trials and on_trial is not None else after.quality
    if was - guess < LEAST_GAIN or now - guess >= LEAST_SHARE * (was - guess):
        return ""
    said = f"{before.task.quality_name} {number(now)}, {number(was)} before, {number(guess)} by the best constant guess"
    how = "predicts no better than a constant guess" if now <= guess else "loses most of what the model explained"
    what = "on rows that it did not learn from, what was trained with this weight" if is_of_trials else "the copy"
    return f"{what} {how} ({said}): ask for a larger gap, or give more rows"


def quality_of_guess(judged: JudgedGroups) -> float:
    """The mean quality of the best prediction that is the same for all rows: the commonest class, or the mean."""
    rows, task = judged.rows, judged.task
    if task.name == "classes":
        weight = torch.ones(len(rows.y)) if rows.weight is None else rows.weight
        counts = torch.zeros(judged.outputs.shape[1] + 1, dtype=torch.float64)
        counts.index_add_(0, rows.y.long(), weight.double())
        return float(counts.max() / counts.sum())
    centres = torch.tensor(task.start[0], dtype=judged.outputs.dtype)
    return replace(judged, outputs=centres.expand(len(judged.outputs), -1)).quality
