"""What a teacher says of rows: a network, a scikit-learn model, or any function, read and checked."""

import numbers
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from corrigible.data.dataset import Labelled, TensorData, all_labels, all_rows, rows_of, task_of
from corrigible.data.protocol import Dataset, class_names_of, extra_of
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import described_model, network_of
from corrigible.types import Task

LEAST_PROB = 1e-6
"""Smaller probabilities count as this one, since a tree's 0 has no logarithm."""
ROWS_AT_ONCE = 256
ROUNDING = 1e-3
"""How far probabilities may be below 0, or their sum from 1."""
EXPECTED = "a network, a model with predict_proba or predict, or a function of rows"


def with_teacher(dataset: Dataset, said: Tensor) -> Dataset:
    """The data set with what the teacher says of each row as ``extra["teacher"]``."""
    if isinstance(dataset, TensorData):
        return replace(dataset, extra={**dataset.extra, "teacher": said})
    return Labelled(dataset, all_labels(dataset), task_of(dataset), {**extra_of(dataset), "teacher": said})


def said_by(teacher: Any, dataset: Dataset, *, rows: Any = None, num_classes: int) -> Tensor:
    """What the teacher says of each row, as the loss `soft_targets` reads it: logits of classes, or predictions.

    Args:
        rows: what a model that is no network is given, such as the frame that the data set was encoded from; None for
            the inputs as a NumPy array.
        num_classes: the number of classes that the student tells apart.

    Raises:
        UnsupportedModelError: no teacher, or outputs of the wrong shape, that are NaN or infinite, or that are no
            probabilities.
        DataError: rows of another number than the data set's.
    """
    task = task_of(dataset)
    if isinstance(teacher, nn.Module):
        found = network_says(network_of(teacher), dataset)
    else:
        given = all_rows(dataset).x.numpy(force=True) if rows is None else rows
        if len(given) != len(dataset):
            told = "expected the same rows in its order"
            raise DataError(f"rows has {len(given)} rows, the data set {len(dataset)}; {told}")
        found = numbers_said(_question(teacher, task), given, len(dataset), of_arrays=rows is None)
    _require_finite(found)
    if task.logits is None:
        return _like_labels(found, dataset)
    if not isinstance(teacher, nn.Module):
        labels, names = getattr(teacher, "classes_", None), class_names_of(dataset)
        probs = probabilities(found)
        probs = probs if labels is None else _in_order(probs, list(labels), names, num_classes)
        found = probs.clamp_min(LEAST_PROB).log()
    if found.shape[1] != num_classes:
        raise UnsupportedModelError(f"the teacher tells {found.shape[1]} classes apart, the student {num_classes}")
    return found.float()


def network_says(network: nn.Module, dataset: Dataset, most: int | None = None) -> Tensor:
    """A network's logits of each row's classes, or its predictions in the form of the labels; of the first rows.

    Args:
        most: None for all rows.
    """
    task, found = task_of(dataset), []
    with evaluating(network), torch.no_grad():
        for index in torch.arange(len(dataset))[:most].split(ROWS_AT_ONCE):
            rows = rows_of(dataset, index)
            outputs = task.outputs(network(like_parameters(rows.x, network).clone()))
            found.append(_read(outputs, rows, task).cpu())
    return torch.cat(found)


def _read(outputs: Float[Tensor, " batch output"], rows: TensorData, task: Task) -> Tensor:
    if task.logits is not None:
        return task.logits(outputs)
    if rows.y.ndim == 2:
        return task.values(outputs)
    said = task.observed(outputs)["predicted"]
    return said * rows.extra["exposure"].to(said) if "exposure" in task.extra and "exposure" in rows.extra else said


def numbers_said(
    ask: Callable[[Any], Any], rows: Any, num_rows: int, *, of_arrays: bool = False
) -> Float[Tensor, " row *number"]:
    """The finite numbers that a function gives for rows, one or several of each row.

    Args:
        of_arrays: whether the rows are an array because no others were given.

    Raises:
        UnsupportedModelError: a function that fails, or gives NaN, infinity or another number of rows.
    """
    said = asked(ask, rows, of_arrays=of_arrays)
    try:
        # A copy: an answer may be read-only or lie in memory in another order.
        found: NDArray[np.float64] = np.array(said, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise UnsupportedModelError(f"the teacher gives what is no number ({error}); expected numbers") from error
    if found.ndim not in (1, 2) or len(found) != num_rows:
        raise UnsupportedModelError(
            f"the teacher gives shape {found.shape} for {num_rows} rows; expected a number, or one for each class, "
            "of each row"
        )
    given = torch.from_numpy(found)
    _require_finite(given)
    return given


def asked(ask: Callable[[Any], Any], rows: Any, *, of_arrays: bool = False) -> Any:
    """What a function gives for rows; raises UnsupportedModelError if it fails, see `numbers_said`."""
    try:
        said = ask(rows)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        what = "the inputs of the data set, as an array; give the rows that it was trained on: rows=…"
        raise UnsupportedModelError(
            f"the teacher fails ({error}) on {what if of_arrays else 'rows; expected a model of such rows'}"
        ) from error
    return said.numpy(force=True) if isinstance(said, Tensor) else said


def _require_finite(found: Tensor) -> None:
    if not bool(found.isfinite().all()):
        raise UnsupportedModelError("the teacher gives NaN or infinite numbers; expected finite numbers of each row")


def _question(teacher: Any, task: Task) -> Callable[[Any], Any]:
    """The function of rows that gives probabilities of classes, or predictions."""
    name = "predict" if task.logits is None else "predict_proba"
    if isinstance(teacher, type):
        raise UnsupportedModelError(f"the teacher is {described_model(teacher)}; expected {EXPECTED}")
    if hasattr(teacher, name):
        return getattr(teacher, name)  # type: ignore[no-any-return]
    if not callable(teacher):
        missing = f" without {name}" if hasattr(teacher, "predict") else ""
        raise UnsupportedModelError(f"the teacher is {described_model(teacher)}{missing}; expected {EXPECTED}")
    return teacher  # type: ignore[no-any-return]


def probabilities(found: Float[Tensor, " row *number"]) -> Float[Tensor, " row num_classes"]:
    """One column per class; one number per row is the probability of class 1 of two."""
    one = found.flatten()
    probs = torch.stack([1 - one, one], dim=1) if found.numel() == len(found) else found
    if bool((probs < -ROUNDING).any() or ((probs.sum(dim=1) - 1).abs() > ROUNDING).any()):
        raise UnsupportedModelError(
            f"the teacher gives numbers from {float(found.min()):.3g} to {float(found.max()):.3g}; expected "
            "probabilities that sum to 1 over the classes of a row: a function of logits ends in softmax"
        )
    return probs


def _in_order(
    probs: Float[Tensor, " row column"], labels: Sequence[Any], names: tuple[str, ...], num_classes: int
) -> Float[Tensor, " row num_classes"]:
    """A column for each class number, from columns that a scikit-learn model names; 0 for classes it never saw."""
    places = [_place(label, names) for label in labels]
    found: Sequence[Any] = labels if all(place is None for place in places) else places
    if len(found) != probs.shape[1] or not all(number in range(num_classes) for number in found):
        raise UnsupportedModelError(
            f"the teacher's classes are {', '.join(map(str, labels))}; expected class numbers from 0 to "
            f"{num_classes - 1}, or the data set's class_names"
        )
    return probs.new_zeros(len(probs), num_classes).index_copy(
        1, torch.tensor([int(number) for number in found]), probs
    )


def _place(label: Any, names: tuple[str, ...]) -> int | None:
    """The place of a label among the names of classes, in which 1 and 1.0 are the same; None if it has none."""
    if str(label) in names:
        return names.index(str(label))
    if isinstance(label, numbers.Real) and not isinstance(label, bool) and float(label).is_integer():
        whole = str(int(float(label)))
        return names.index(whole) if whole in names else None
    return None


def _like_labels(found: Tensor, dataset: Dataset) -> Tensor:
    y = all_labels(dataset)
    said = found[:, 0] if y.ndim == 1 and found.ndim == 2 and found.shape[1] == 1 else found
    if said.shape != y.shape:
        raise UnsupportedModelError(
            f"the teacher gives shape {tuple(found.shape)}; expected {tuple(y.shape)}, as labels"
        )
    if y.ndim == 2 and bool(((said < 0) | (said > 1)).any()):
        raise UnsupportedModelError("the teacher gives numbers outside 0 to 1; expected a probability for each label")
    _require_means(said, task_of(dataset).name)
    return said.float()


def _require_means(said: Tensor, task: str) -> None:
    """Raises UnsupportedModelError for means of counts or positive amounts that are out of range, or all 0."""
    if task not in ("counts", "positive_amounts"):
        return
    if bool((said < 0).any() or not (said > 0).any() or (task == "positive_amounts" and (said == 0).any())):
        least = "at least 0, and one above" if task == "counts" else "above 0"
        raise UnsupportedModelError(f"the teacher gives {float(said.min()):.3g}; expected numbers {least}")
