"""Prediction sets on disk: their numbers as JSON. The weights of the network are kept by themselves."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.files import MOST_RECORD, read_text
from corrigible.folders import write_atomically
from corrigible.models.networks import network_of
from corrigible.protocols.calibrating.conformal import SCORES, ConformalSets
from corrigible.strict_json import is_whole, parse
from corrigible.tasks import CLASSES, task_named
from corrigible.types import Columns, Task

NUMBERS = ("alpha", "num_rows", "is_exchanged", "samples", "seed")
TASKS = ("classes", "ordered_classes")


def save_sets(sets: ConformalSets, path: str | Path) -> None:
    """Write what makes up the sets beside their network to a file, completely or not at all.

    Raises:
        UnsupportedModelError: sets of a task of the user's own, which is code.
        StudyError: the folder cannot be written to.
    """
    if sets.task.name not in TASKS:
        raise UnsupportedModelError(
            f"the task is {sets.task.name!r}, which is code; expected one of {', '.join(TASKS)}"
        )
    kept: dict[str, Any] = {name: getattr(sets, name) for name in NUMBERS}
    # All classes or only the likeliest may be in a set; JSON knows no infinity.
    kept |= {"score": sets.score, "threshold": sets.threshold if math.isfinite(sets.threshold) else str(sets.threshold)}
    kept |= {"task": sets.task.name, "num_outputs": sets.task.num_outputs}
    kept |= {"columns": None if sets.columns is None else list(sets.columns.names)}
    write_atomically(path, json.dumps(kept, indent=1).encode())


def load_sets(path: str | Path, model: nn.Module) -> ConformalSets:
    """The sets that ``save_sets`` wrote, of the network that they were calibrated with.

    Raises:
        DataError: a file that is missing, or not as it was written.
        UnsupportedModelError: no network.
    """
    try:
        kept = parse(read_text(Path(path), most=MOST_RECORD))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the sets in {path} ({error}); expected a file of save_sets") from error
    if not isinstance(kept, dict) or (wrong := [name for name, is_right in _CHECKS.items() if not is_right(kept)]):
        found = f" ({', '.join(wrong)})" if isinstance(kept, dict) else ""
        raise DataError(f"the sets in {path} are not as save_sets wrote them{found}; save them again")
    names = kept["columns"]
    columns = None if names is None else Columns(tuple(names), tuple(names), (False,) * len(names))
    numbers = {name: kept[name] for name in NUMBERS}
    task, threshold = _task(kept["task"], kept["num_outputs"]), float(kept["threshold"])
    return ConformalSets(network_of(model), task, threshold=threshold, score=kept["score"], columns=columns, **numbers)


def _task(name: str, num_outputs: int) -> Task:
    if name == "classes":
        return CLASSES
    return task_named({"name": name, "num_classes": num_outputs + 1}, torch.zeros(1, dtype=torch.long))


def _are_names(found: Any) -> bool:
    return found is None or (isinstance(found, list) and all(isinstance(name, str) for name in found))


_CHECKS = {
    "alpha": lambda kept: isinstance(kept.get("alpha"), float) and 0 < kept["alpha"] < 1,
    "num_rows": lambda kept: is_whole(kept.get("num_rows")) and kept["num_rows"] > 0,
    "is_exchanged": lambda kept: isinstance(kept.get("is_exchanged"), bool),
    "samples": lambda kept: kept.get("samples", 0) is None or (is_whole(kept.get("samples")) and kept["samples"] > 0),
    "seed": lambda kept: is_whole(kept.get("seed")),
    "score": lambda kept: kept.get("score") in [*SCORES],
    "threshold": lambda kept: isinstance(kept.get("threshold"), float) or kept.get("threshold") in ("inf", "-inf"),
    "task": lambda kept: kept.get("task") in TASKS,
    "num_outputs": lambda kept: is_whole(kept.get("num_outputs")) and kept["num_outputs"] >= 0,
    "columns": lambda kept: "columns" in kept and _are_names(kept["columns"]),
}
"""What must be true of each entry."""
