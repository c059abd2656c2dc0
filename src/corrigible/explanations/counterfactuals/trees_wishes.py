"""What an ensemble should answer, as sums over its leaves that must reach something."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counterfactuals.trees_reading import Leaves

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """One answer: sums of the weights of the leaves that a row reaches, and what each must reach."""

    weight: Floats
    """(sum, leaf)"""
    needed: Floats
    """(sum,)"""
    label: Any = None
    """The class; None for numbers."""
    below: float | None = None
    above: float | None = None

    def holds(self, predicted: NDArray[Any]) -> NDArray[np.bool_]:
        """Which predictions of the model are as wanted."""
        if self.label is not None:
            return np.asarray(predicted == self.label)
        found = np.ones(len(predicted), dtype=bool)
        if self.below is not None:
            found &= predicted < self.below
        if self.above is not None:
            found &= predicted > self.above
        return found


def check_wish(leaves: Leaves, target: Any, below: float | None, above: float | None) -> None:
    """Refuse a wish that does not fit the model.

    Raises:
        RecipeError: a class and a bound, a bound for classes, none for numbers, or bounds with nothing between them.
        DataError: a class that the model does not have.
    """
    if leaves.classes is not None:
        if len(leaves.classes) < 2:
            raise DataError(f"the model knows one class, {leaves.classes[0]}; expected two or more")
        if below is not None or above is not None:
            raise RecipeError("the model predicts classes; below and above are for numbers: give a target, or none")
        if target is not None and target not in leaves.classes.tolist():
            known = ", ".join(map(str, leaves.classes.tolist()))
            raise DataError(f"target is {target!r}; expected one of the model's classes: {known}")
        return
    if target is not None:
        raise RecipeError(f"target is {target!r}, and the model predicts a number; say below=… or above=…")
    if below is None and above is None:
        raise RecipeError("the model predicts a number; say below=… or above=…, in the unit of the labels")
    if below is not None and above is not None and not above < below:
        raise RecipeError(f"no number is above {above:g} and below {below:g}; expected above < below")


def wanted_of(leaves: Leaves, target: Any, below: float | None, above: float | None) -> list[Wanted]:
    """The answers that fulfil the wish: one, or without a target each class; of a row without the one it has."""
    if leaves.classes is None:
        return [_of_numbers(leaves, below, above)]
    labels = leaves.classes.tolist()
    return [_of_class(leaves, labels.index(label)) for label in (labels if target is None else [target])]


def _of_class(leaves: Leaves, place: int) -> Wanted:
    assert leaves.classes is not None
    label = leaves.classes[place]
    if leaves.decision != "first of the largest":
        sign = 1.0 if place else -1.0
        return Wanted(sign * leaves.value.T, -sign * leaves.start, label)
    others = np.delete(np.arange(len(leaves.classes)), place)
    weight = leaves.value[:, [place]] - leaves.value[:, others]
    return Wanted(weight.T, leaves.start[others] - leaves.start[place], label)


def _of_numbers(leaves: Leaves, below: float | None, above: float | None) -> Wanted:
    weight, needed = [], []
    for bound, sign in ((below, -1.0), (above, 1.0)):
        if bound is not None:
            weight.append(sign * leaves.value[:, 0])
            needed.append(sign * (_raw(leaves, bound) - leaves.start[0]))
    return Wanted(np.array(weight), np.array(needed), below=below, above=above)


def _raw(leaves: Leaves, value: float) -> float:
    """The score that a prediction comes from."""
    if leaves.decision == "identity":
        return value
    return float(np.log(value)) if value > 0 else -np.inf
