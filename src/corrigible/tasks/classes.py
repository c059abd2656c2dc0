"""One class per row: the outputs are logits, their softmax the probabilities."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import log_softmax

from corrigible.errors import DataError
from corrigible.outputs import class_logits
from corrigible.tasks._labels import plain_number
from corrigible.types import Task


def classes(y: Any = None) -> Task:
    """The task of predicting one class per row.

    Outputs are logits, (batch, num_classes); a single logit per row is that of class 1 of two.

    Args:
        y: class numbers from 0 up, one per row.

    Raises:
        DataError: labels that are not whole numbers of at least 0.
    """
    num_classes = 0 if y is None else int(class_numbers(y).max()) + 1
    return Task(
        name="classes",
        outputs=class_logits,
        num_outputs=num_classes,
        logits=class_logits,
        values=lambda outputs: class_logits(outputs).softmax(dim=1),
        observed=_observed,
        standard=lambda outputs: log_softmax(class_logits(outputs), dim=1),
        combined=_combined,
        loss=_loss,
        quality=lambda outputs, y, extra: (class_logits(outputs).argmax(dim=1) == y).double(),
        moved=_moved,
        drawn=_drawn,
        target=lambda outputs: class_logits(outputs).argmax(dim=1),
        check=class_numbers,
        strata=lambda y: y.cpu().long(),
        score="target_logit",
        start=((), ()),
        metrics=(
            "accuracy",
            "worst_class_accuracy",
            "macro_group_accuracy",
            "worst_group_accuracy",
            "auc",
            "expected_calibration_error",
            "flip_rate",
            "attribution_overlap",
        ),
        quality_name="accuracy",
        moved_as="the predicted chances by {} points",
        chance=0.0,
        written=plain_number,
        reads="logits",
    )


def class_numbers(y: Any) -> Int[Tensor, " row"]:
    """The labels as whole numbers.

    Raises:
        DataError: another shape, or a label that is not a whole number of at least 0.
    """
    given = torch.as_tensor(y)
    if given.ndim != 1:
        one_column = given.ndim == 2 and given.shape[1] == 1
        remedy = (
            "y[:, 0]" if one_column else "y.argmax(1) if each row marks its one class, task='several_labels' if more"
        )
        raise DataError(f"y has shape {tuple(given.shape)}; expected one class number per row: {remedy}")
    found = given.long()
    is_whole = found == given
    if given.is_floating_point() and bool(given.isnan().any()):
        raise DataError(f"y of row {int(given.isnan().nonzero()[0])} is NaN; drop rows without a label")
    if not bool(is_whole.all()):
        raise DataError(
            f"y holds {given[~is_whole][0]:g}; expected classes, whole numbers from 0 up; for a regression say what y "
            "means: TensorData(x, y, task='amounts')"
        )
    if len(found) and int(found.min()) < 0:
        hint = ": for -1 and 1 write (y + 1) // 2" if int(found.min()) == -1 else ""
        raise DataError(f"y holds {int(found.min())}; expected classes, whole numbers from 0 up{hint}")
    return found


def _observed(outputs: Tensor) -> dict[str, Tensor]:
    probs = class_logits(outputs).softmax(dim=1)
    return {"probs": probs, "predicted": probs.argmax(dim=1)}


def _loss(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    """Minus the log-probability of each row's label; raises DataError for a label that the model has no class for."""
    log_probs = log_softmax(class_logits(outputs), dim=1)
    require_labels(y, log_probs.shape[1])
    return -log_probs.gather(1, y[:, None])[:, 0]


def require_labels(y: Int[Tensor, " batch"], num_classes: int) -> None:
    """Raises DataError for a label that is not one of the model's classes."""
    outside = (y < 0) | (y >= num_classes)
    if bool(outside.any()):
        found = int(y[outside][0])
        raise DataError(f"label {found}; {known_classes(num_classes)}")


def known_classes(num_classes: int) -> str:
    """The labels that a model knows, in words."""
    return (
        f"the model has {num_classes} classes, counted from 0: 0 to {num_classes - 1}; subtract 1 if yours count from 1"
    )


def _combined(passes: Tensor) -> Tensor:
    """The logarithm of the mean probabilities: logits whose softmax is that mean."""
    log_probs = torch.stack([log_softmax(class_logits(outputs), dim=1) for outputs in passes])
    return log_probs.logsumexp(dim=0) - math.log(len(log_probs))


def _moved(outputs: Tensor, others: Tensor) -> Tensor:
    """The total variation distance between the probabilities."""
    first, second = (class_logits(found).softmax(dim=1) for found in (outputs, others))
    return (first - second).abs().sum(dim=1) / 2


def _drawn(outputs: Tensor, others: Tensor, y: Tensor, other_y: Tensor) -> Tensor:
    """How much more likely the other label becomes."""
    first, second = (class_logits(found).softmax(dim=1) for found in (outputs, others))
    return (first - second).gather(1, other_y[:, None])[:, 0]


CLASSES = classes()
