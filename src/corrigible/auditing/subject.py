"""The audited model: a question to ask of any rows, and what its answers mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.base import is_classifier, is_regressor

from corrigible.auditing.answers import Reading, listed, reading_of
from corrigible.auditing.columns import Numbers
from corrigible.errors import CorrigibleError, DataError, UnsupportedModelError
from corrigible.named_functions import described
from corrigible.tasks import TaskChoice

EXPECTED = "a model with predict_proba or predict, or a function of a frame"
AMOUNTS = Reading("amounts")


@dataclass(frozen=True)
class Subject:
    """A model, and how its answers are read."""

    answer: Callable[[pd.DataFrame], Any]
    """Probabilities of classes, labels or amounts, as the model gives them; it may write into the frame."""
    reading: Reading = AMOUNTS
    means: TaskChoice = "amounts"
    """Of amounts: what it has learned that labels mean, where it says so as the estimators of this package do."""

    @property
    def classes(self) -> tuple[Any, ...]:
        """In the order of the probabilities; empty for amounts."""
        return self.reading.classes

    def scores(self, frame: pd.DataFrame) -> Numbers:
        """(row, score): of two classes the probability of the second, of more that of each, of amounts the amount.

        Raises:
            UnsupportedModelError: the model fails, or its answers are of another form.
        """
        return self.reading(_asked(self.answer, frame), len(frame))

    def checked(self, frame: pd.DataFrame) -> Numbers:
        """The same for rows as the model is used on.

        Raises:
            UnsupportedModelError: also for scores that are NaN or infinite, and for what are no probabilities.
        """
        return self.reading.checked(_asked(self.answer, frame), len(frame))

    def places(self, scores: Numbers) -> NDArray[np.int64]:
        """The place of the predicted class of each row."""
        found: NDArray[np.int64] = (
            (scores[:, 0] > 0.5).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
        )
        return found


def subject_of(
    model: Any,
    frame: pd.DataFrame,
    y: "pd.Series[Any]",
    to_given: Callable[[pd.DataFrame], Any],
    *,
    has_exposure: bool = False,
) -> Subject:
    """The model as something to ask.

    An exposure and a regressor mean amounts. Classes are what a classifier tells apart, labels that are no numbers, and
    two different numbers of which a function gives labels or probabilities.

    Args:
        frame: all rows; how answers are read is decided by those to them.
        to_given: a frame in the form of the user's own rows.

    Raises:
        UnsupportedModelError: nothing that predicts, or answers that are neither labels nor probabilities.
        DataError: labels of one class, or an exposure with a model or labels of classes.
    """
    has_labels = hasattr(model, "predict")
    _require_model(model)
    of_amounts = has_labels and _has_tag(model, is_regressor)
    has_probs = hasattr(model, "predict_proba") and not of_amounts
    of_classes = has_probs or (has_labels and _has_tag(model, is_classifier))
    if has_exposure and (of_classes or not _are_numbers(y)):
        found = "the model is a classifier" if of_classes else "y holds no numbers"
        raise DataError(f"exposure is given, and {found}; expected a model of counts or amounts, or no exposure")
    ask = model.predict_proba if has_probs else model.predict if has_labels else model

    def answer(rows: pd.DataFrame) -> Any:
        return ask(to_given(rows))

    if of_amounts or has_exposure or not (of_classes or are_classes(y)):
        return Subject(answer, means=getattr(model, "_labels_mean", "amounts"))
    classes = tuple(getattr(model, "classes_", ())) if has_labels else ()
    classes = classes or _classes_in(y)
    if len(classes) < 2:
        raise DataError(f"y holds {listed(classes)} alone; expected rows of at least two classes")
    kind = {"has_probs": has_probs, "has_labels": of_classes and not has_probs}
    return Subject(answer, reading_of(_asked(answer, frame), len(frame), classes, **kind))


def are_classes(y: "pd.Series[Any]") -> bool:
    """Whether labels are classes: truth values, text, categories, or two different numbers."""
    return not _are_numbers(y) or y.nunique() <= 2


def _asked(answer: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> Any:
    """What the model says of a copy of the rows, into which it may write."""
    try:
        return answer(frame.copy())
    except CorrigibleError:
        raise
    except Exception as error:
        raise UnsupportedModelError(f"the model cannot predict these rows: {described(error)}") from error


def _require_model(model: Any) -> None:
    predicts = hasattr(model, "predict_proba") or hasattr(model, "predict")
    if not (predicts or callable(model)) or isinstance(model, type):
        raise UnsupportedModelError(f"a {type(model).__name__} is given as the model; expected {EXPECTED}")
    if hasattr(model, "parameters") and not hasattr(model, "predict"):
        raise UnsupportedModelError(
            "a network is given, which takes tensors; expected a function of a frame that encodes its rows and asks it"
        )


def _has_tag(model: Any, is_of_kind: Callable[[Any], bool]) -> bool:
    """Whether it is of scikit-learn's kind; other models with ``predict`` have no tags, and say nothing of it."""
    return hasattr(model, "__sklearn_tags__") and bool(is_of_kind(model))


def _are_numbers(y: "pd.Series[Any]") -> bool:
    return is_numeric_dtype(y.dtype) and not is_bool_dtype(y.dtype)


def _classes_in(y: "pd.Series[Any]") -> tuple[Any, ...]:
    try:
        return tuple(np.unique(y.to_numpy()[y.notna().to_numpy()]))
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in y})
        raise DataError(f"y holds values of the kinds {', '.join(kinds)}; expected labels of one kind") from error
