"""Why a metric cannot be measured, and which rows it leaves out, in words."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from corrigible.observations.observed import OBSERVATIONS, Observations


def missing(observations: Observations, needs: Iterable[str]) -> str:
    """What the task, the data or the feedback lacks for these observations; empty if nothing."""
    absent = [name for name in needs if name not in observations.everywhere and name not in observations.on_marked]
    return " and ".join(dict.fromkeys(_source(name, observations) for name in absent))


def _source(name: str, observations: Observations) -> str:
    known = OBSERVATIONS[name]
    if known.of_tasks and (known.about == "rows" or observations.task.logits is None):
        return known.of_tasks
    if known.about == "relevant" or (known.about == "irrelevant" and not len(observations.marked)):
        return f"feedback that marks {known.about} inputs"
    return name


def left_out(observations: Observations, rows: Mapping[str, Tensor], needs: Iterable[str]) -> tuple[int, str]:
    """How many rows are counted, and a note about those that are left out."""
    count = len(rows["y"])
    notes = []
    if count < len(observations.everywhere["y"]):
        notes.append(f"left out, without irrelevant inputs: {len(observations.everywhere['y']) - count} rows")
    for name, known in OBSERVATIONS.items():
        if known.undefined and name in needs and (empty := int(rows[name].isnan().sum())):
            notes.append(f"left out, without {known.undefined}: {empty} rows")
            count -= empty
    return count, "; ".join(notes)
