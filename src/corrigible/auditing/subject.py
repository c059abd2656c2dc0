"""The audited model: a question to ask of any rows, and what its answers mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.base import is_classifier

from corrigible.auditing.columns import Numbers
from corrigible.errors import CorrigibleError, DataError, UnsupportedModelError
from corrigible.named_functions import described

EXPECTED = "a model with predict_proba or predict, or a function of a frame"


@dataclass(frozen=True)
class Subject:
    """A model, and how its answers are read."""

    answer: Callable[[pd.DataFrame], Any]
    """Probabilities of classes, labels or amounts, as the model gives them."""
    classes: tuple[Any, ...]
    """In the order of the probabilities; empty for amounts."""

    def scores(self, frame: pd.DataFrame) -> Numbers:
        """(row, score): of two classes the probability of the second, of more that of each, of amounts the amount.

        A model that gives labels alone has the probabilities 0 and 1. Nothing is checked but the form.

        Raises:
            UnsupportedModelError: the model fails, or its answers are of another form.
        """
        try:
            found = np.asarray(self.answer(frame))
        except CorrigibleError:
            raise
        except Exception as error:
            raise UnsupportedModelError(f"the model cannot predict these rows: {described(error)}") from error
        if found.ndim == 2 and found.shape[1] == 1:
            found = found[:, 0]
        columns = len(self.classes) or 1
        if len(found) != len(frame) or found.ndim > 2 or (found.ndim == 2 and found.shape[1] != columns):
            expected = f"({len(frame)},)" + (f" or ({len(frame)}, {columns})" if self.classes else "")
            raise UnsupportedModelError(f"the model gives an answer of shape {found.shape}; expected {expected}")
        return self._read(found)

    def checked(self, frame: pd.DataFrame) -> Numbers:
        """The same for rows as the model is used on.

        Raises:
            UnsupportedModelError: also for scores that are NaN or infinite.
        """
        found = self.scores(frame)
        bad = int((~np.isfinite(found)).any(axis=1).sum())
        if bad:
            raise UnsupportedModelError(f"the model predicts NaN or infinity on {bad:,} of {len(found):,} rows of X")
        return found

    def places(self, scores: Numbers) -> NDArray[np.int64]:
        """The place of the predicted class of each row."""
        found: NDArray[np.int64] = (
            (scores[:, 0] > 0.5).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
        )
        return found

    def _read(self, found: NDArray[Any]) -> Numbers:
        if not self.classes:
            return found.astype(np.float64)[:, None]
        if found.ndim == 2:
            return found[:, 1:].astype(np.float64) if len(self.classes) == 2 else found.astype(np.float64)
        are_labels = pd.Series(found).isin(list(self.classes)).to_numpy()
        if bool(are_labels.all()):
            each = np.column_stack([found == name for name in self.classes]).astype(np.float64)
            return each[:, 1:] if len(self.classes) == 2 else each
        if len(self.classes) == 2 and found.dtype.kind in "fiu":
            return found.astype(np.float64)[:, None]
        other = str(found[~are_labels][0])
        raise UnsupportedModelError(f"the model predicts {other!r}; the labels are {_listed(self.classes)}")


def subject_of(model: Any, y: "pd.Series[Any]", to_given: Callable[[pd.DataFrame], Any]) -> Subject:
    """The model as something to ask.

    Args:
        to_given: a frame in the form of the user's own rows.

    Raises:
        UnsupportedModelError: nothing that predicts.
        DataError: labels of one class.
    """
    has_probs, has_labels = hasattr(model, "predict_proba"), hasattr(model, "predict")
    if not (has_probs or has_labels or callable(model)) or isinstance(model, type):
        raise UnsupportedModelError(f"a {type(model).__name__} is given as the model; expected {EXPECTED}")
    if hasattr(model, "parameters") and not has_labels:
        raise UnsupportedModelError(
            "a network is given, which takes tensors; expected a function of a frame that encodes its rows and asks it"
        )
    answer = model.predict_proba if has_probs else model.predict if has_labels else model
    is_of_classes = has_probs or (has_labels and _is_classifier(model)) or are_classes(y)
    classes = tuple(getattr(model, "classes_", ())) if is_of_classes and has_labels else ()
    if is_of_classes and not classes:
        classes = tuple(np.unique(y.to_numpy()[y.notna().to_numpy()]))
    if is_of_classes and len(classes) < 2:
        raise DataError(f"y holds {_listed(classes)} alone; expected rows of at least two classes")
    return Subject(lambda frame: answer(to_given(frame)), classes)


def _is_classifier(model: Any) -> bool:
    """Whether it is scikit-learn's; other models with ``predict`` have no tags, and say nothing of it."""
    return hasattr(model, "__sklearn_tags__") and bool(is_classifier(model))


def are_classes(y: "pd.Series[Any]") -> bool:
    """Whether labels are classes: truth values, text, categories, or two different numbers."""
    return not is_numeric_dtype(y.dtype) or is_bool_dtype(y.dtype) or y.nunique() <= 2


def _listed(names: Any) -> str:
    return ", ".join(repr(str(name)) for name in list(names)[:10])
