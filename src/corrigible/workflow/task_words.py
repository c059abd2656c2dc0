"""What the verbs say about a study's labels, predictions and errors; it depends on the task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from corrigible.data.protocol import class_named
from corrigible.data.table import OF_CLASSES
from corrigible.figures import percent as percent
from corrigible.types import Task

IN_UNITS = ("amounts", "quantiles")
"""Tasks whose outputs are in the unit of the labels."""
OF_LOGARITHMS = ("counts", "positive_amounts")
SCORES_IN_WORDS = {
    "amounts": "prediction",
    "quantiles": "predicted quantile",
    "counts": "logarithm of the rate",
    "positive_amounts": "logarithm of the mean",
    "several_labels": "score of the label",
    "ordered_classes": "expected class",
    "ranking": "ranking score",
}
VALUES_IN_WORDS = {
    **SCORES_IN_WORDS,
    "counts": "predicted rate",
    "positive_amounts": "predicted mean",
    "several_labels": "probability of the label",
}


@dataclass(frozen=True)
class TaskWords:
    """The facts about a task that a report needs; the defaults are those of classes."""

    name: str = "classes"
    quality: str = "accuracy"
    unit: str = ""
    size: float = 1.0
    """How large a move of 1 is, in the unit of the labels or in classes."""
    label_names: tuple[str, ...] = ()
    """For several labels, the name of each."""

    @property
    def has_classes(self) -> bool:
        """Whether a label is one class."""
        return self.name in OF_CLASSES

    @property
    def score(self) -> str:
        """The score that is explained."""
        return self._with_unit(SCORES_IN_WORDS.get(self.name, "score"))

    def value(self, target: int, class_names: Sequence[str]) -> str:
        """One of the task's values."""
        if self.name == "classes":
            return f"probability of class {class_named(target, class_names)}"
        named = f" {self.label_names[target]}" if target < len(self.label_names) else ""
        return self._with_unit(VALUES_IN_WORDS.get(self.name, "prediction") + named)

    def prediction(self, class_names: Sequence[str]) -> str:
        """What moves when inputs are exchanged."""
        if self.name == "several_labels":
            return "the most affected chance of a label"
        if self.name == "ranking":
            return "the chance to be ranked ahead"
        if self.name != "classes":
            return f"the {VALUES_IN_WORDS.get(self.name, 'prediction')}"
        if len(class_names) == 2:
            return "the predicted chance" + ("" if class_names[1].isdecimal() else f" of “{class_names[1]}”")
        return "the predicted chances"

    def moves(self, first: float, second: float) -> tuple[str, str]:
        """Two moves of the prediction as text, in the unit in which people read it; the second may leave it out."""
        if self.name in IN_UNITS:
            return self._amount(first), self._amount(second)
        if self.name in OF_LOGARITHMS:
            return percent(first), percent(second)
        if self.name == "ordered_classes":
            return f"{self.size * first:.2f} classes", f"{self.size * second:.2f}"
        share = 0.5 if self.name == "ranking" else 1.0
        return f"{points(share * first)} percentage points", points(share * second)

    def right(self, value: float) -> str:
        """How good predictions are, as the end of "With …, "."""
        if self.name == "classes":
            return f"{percent(value)} of rows are predicted right"
        return f"the {self.quality} is {percent(value)}"

    def _amount(self, share: float) -> str:
        return f"{plain(self.size * share)} {self.unit}".strip()

    def _with_unit(self, words: str) -> str:
        return f"{words} ({self.unit})" if self.unit and self.name not in OF_LOGARITHMS else words


OF_CLASSES_ALONE = TaskWords()


def words_of(task: Task, class_names: Sequence[str]) -> TaskWords:
    """The words for a task; ``class_names`` are the names of labels where a row may have several."""
    unit = task.written(1.0).removeprefix("1").strip()
    size = float(task.num_outputs) if task.name == "ordered_classes" else 1.0
    if task.name in IN_UNITS:
        size = task.start[1][0]
    names = tuple(class_names) if task.name == "several_labels" else ()
    return TaskWords(task.name, task.quality_name, unit, size, names)


def words_in(results: Mapping[str, Any]) -> TaskWords:
    """The words that an evaluation kept; those of classes for evaluations of older versions."""
    kept = results.get("task", {})
    known = {field.name: kept[field.name] for field in fields(TaskWords) if field.name in kept}
    return TaskWords(**{**known, "label_names": tuple(known.get("label_names", ()))})


def points(share: float) -> str:
    """A change of probability in percentage points, with two decimals if it is below one."""
    value = 100 * share
    if value < 0.005:
        return "0"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}"


def plain(value: float) -> str:
    """The number without an exponent, with three significant digits or all before the point."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}".replace("-", "−")
