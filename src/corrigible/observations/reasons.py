"""Why a metric cannot be measured, and which rows it leaves out, in words."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from corrigible.observations.observed import ABOUT_CLASSES, ABOUT_IRRELEVANT, ABOUT_RELEVANT, Observations

UNDEFINED = {
    "attribution_share": "any attribution",
    "sparseness": "any attribution",
    "pointing": "relevant inputs",
    "relevance_mass": "relevant inputs or any attribution",
    "relevance_rank": "relevant inputs or any attribution",
}
"""Observations that are NaN on some rows, and what those rows lack."""
OF_SOME_TASKS = {
    "probs": "predicted probabilities",
    "sd": "predicted standard deviations",
    "quantiles": "predicted quantiles",
    "levels": "predicted quantiles",
} | dict.fromkeys(ABOUT_CLASSES, "predicted classes")
"""Observations that only some tasks have, in words."""


def missing(observations: Observations, needs: Iterable[str]) -> str:
    """What the task, the data or the feedback lacks for these observations; empty if nothing."""
    absent = [name for name in needs if name not in observations.everywhere and name not in observations.on_marked]
    return " and ".join(dict.fromkeys(_source(name, observations) for name in absent))


def _source(name: str, observations: Observations) -> str:
    if name in OF_SOME_TASKS and (name not in ABOUT_CLASSES or observations.task.logits is None):
        return OF_SOME_TASKS[name]
    if name in ABOUT_RELEVANT:
        return "feedback that marks relevant inputs"
    if name in ABOUT_IRRELEVANT and not len(observations.marked):
        return "feedback that marks irrelevant inputs"
    return name


def left_out(observations: Observations, rows: Mapping[str, Tensor], needs: Iterable[str]) -> tuple[int, str]:
    """How many rows are counted, and a note about those that are left out."""
    count = len(rows["y"])
    notes = []
    if count < len(observations.everywhere["y"]):
        notes.append(f"left out, without irrelevant inputs: {len(observations.everywhere['y']) - count} rows")
    for name, without in UNDEFINED.items():
        if name in needs and (empty := int(rows[name].isnan().sum())):
            notes.append(f"left out, without {without}: {empty} rows")
            count -= empty
    return count, "; ".join(notes)
