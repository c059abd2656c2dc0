"""How the answers of a model are read: as amounts, labels or probabilities, decided once from those to all rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from corrigible.auditing.columns import Numbers
from corrigible.errors import UnsupportedModelError
from corrigible.figures import short_number

Form = Literal["amounts", "labels", "probability", "probabilities"]
"""Amounts, labels, the probability of the second of two classes, or that of each class."""
ROUNDING = 1e-6
"""A probability may be outside 0 to 1 by as much."""
ROUNDING_OF_SUMS = 1e-3
"""The probabilities of a row may miss 1 by as much, as those of 16 bits do."""


@dataclass(frozen=True)
class Reading:
    """How every answer of a model is read."""

    form: Form
    classes: tuple[Any, ...] = ()
    """In the order of the probabilities; empty for amounts."""

    def __call__(self, answers: Any, num_rows: int) -> Numbers:
        """(row, score): of two classes the probability of the second, of more that of each, of amounts the amount.

        Labels have the probabilities 0 and 1. Nothing is checked but the form.

        Raises:
            UnsupportedModelError: answers of another form.
        """
        found = _array(answers, num_rows, len(self.classes))
        if self.form == "labels":
            return self._of_labels(found)
        if found.ndim != (2 if self.form == "probabilities" else 1):
            raise UnsupportedModelError(f"the model gives an answer of shape {found.shape}; before, {self._said()}")
        numbers = _numbers(found)
        if numbers is None:
            raise UnsupportedModelError(f"the model predicts {_first(found)}; expected {self._said()}")
        if numbers.ndim == 1:
            return numbers[:, None]
        return numbers[:, 1:] if len(self.classes) == 2 else numbers

    def checked(self, answers: Any, num_rows: int) -> Numbers:
        """The same of rows as the model is used on.

        Raises:
            UnsupportedModelError: also for scores that are NaN or infinite, and for what are no probabilities.
        """
        scores = self(answers, num_rows)
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        if bad:
            raise UnsupportedModelError(f"the model predicts NaN or infinity on {bad:,} of {len(scores):,} rows of X")
        if self.form in ("probability", "probabilities"):
            _require_probabilities(np.asarray(_numbers(_array(answers, num_rows, len(self.classes)))))
        return scores

    def _of_labels(self, found: NDArray[Any]) -> Numbers:
        known = pd.Series(found).isin(list(self.classes)).to_numpy() if found.ndim == 1 else np.zeros(len(found), bool)
        if not bool(known.all()):
            other = found[~known][0]
            raise UnsupportedModelError(f"the model predicts {str(other)!r}; the labels are {listed(self.classes)}")
        each = np.column_stack([found == name for name in self.classes]).astype(np.float64)
        return each[:, 1:] if len(self.classes) == 2 else each

    def _said(self) -> str:
        return {"amounts": "numbers", "probability": "one probability per row"}.get(
            self.form, f"{len(self.classes)} probabilities per row"
        )


def reading_of(answers: Any, num_rows: int, classes: Sequence[Any], *, has_probs: bool, has_labels: bool) -> Reading:
    """How a model of classes is read, decided from its answers to all rows.

    Args:
        has_probs, has_labels: whether the kind of model says what it gives; of functions neither.

    Raises:
        UnsupportedModelError: neither labels nor probabilities, or what may be either.
    """
    known = tuple(classes)
    found = _array(answers, num_rows, len(known))
    if found.ndim == 2:
        return Reading("probabilities", known)
    if has_labels:
        return Reading("labels", known)
    numbers = _numbers(found)
    are_probs = numbers is not None and len(known) == 2 and (has_probs or _are_probabilities(numbers))
    are_labels = not has_probs and bool(pd.Series(found).isin(list(known)).all())
    if are_probs and are_labels and known != (0, 1):
        raise UnsupportedModelError(
            f"the model predicts {_range(numbers)} on all rows, which may be labels or probabilities; expected a model "
            "with predict_proba, or a function that gives the probability of each class"
        )
    if are_probs:
        return Reading("probability", known)
    if are_labels or numbers is None or len(known) > 2:
        return Reading("labels", known)
    if not np.isfinite(numbers).all():
        return Reading("probability", known)
    raise UnsupportedModelError(
        f"the model predicts {_range(numbers)}, y holds {listed(known)}; expected labels or probabilities from 0 to 1, "
        "or of amounts a regressor or their exposure, such as 1 of each row"
    )


def listed(names: Sequence[Any]) -> str:
    """The first names, quoted."""
    return ", ".join(repr(str(name)) for name in names[:10])


def _array(answers: Any, num_rows: int, num_classes: int) -> NDArray[Any]:
    found = answers.numpy(force=True) if isinstance(answers, Tensor) else np.asarray(answers)
    columns = num_classes or 1
    expected = f"({num_rows},)" + (f" or ({num_rows}, {columns})" if num_classes else "")
    if found.ndim == 0:
        raise UnsupportedModelError(
            f"the model answers with a {type(answers).__name__}; expected an array of shape {expected}"
        )
    found = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
    if len(found) != num_rows or found.ndim > 2 or (found.ndim == 2 and found.shape[1] != columns):
        raise UnsupportedModelError(f"the model gives an answer of shape {found.shape}; expected {expected}")
    return found


def _numbers(found: NDArray[Any]) -> Numbers | None:
    """The answers as numbers; None for text and other things."""
    if found.dtype.kind not in "biufO":
        return None
    if found.dtype.kind == "O" and any(isinstance(value, str | bytes) for value in found.flat):
        return None
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _are_probabilities(numbers: Numbers) -> bool:
    return bool(((numbers >= -ROUNDING) & (numbers <= 1 + ROUNDING)).all())


def _require_probabilities(numbers: Numbers) -> None:
    if not _are_probabilities(numbers):
        raise UnsupportedModelError(f"the model predicts {_range(numbers)}; expected probabilities from 0 to 1")
    sums = numbers.sum(axis=1) if numbers.ndim == 2 else np.ones(1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(float(sums[worst]) - 1) > ROUNDING_OF_SUMS:
        raise UnsupportedModelError(
            f"the probabilities of a row sum to {short_number(float(sums[worst]))}; expected 1, over all classes"
        )


def _range(numbers: Any) -> str:
    low, high = (short_number(float(end)) for end in (np.min(numbers), np.max(numbers)))
    return low if low == high else f"{low} to {high}"


def _first(found: NDArray[Any]) -> str:
    return repr(str(found.flat[0]))
