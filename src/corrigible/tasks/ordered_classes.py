"""Classes with an order, such as grades or severities."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from corrigible.errors import RecipeError
from corrigible.tasks._labels import first_output, numbers_per_row, plain_number
from corrigible.tasks.classes import class_numbers, require_labels
from corrigible.types import Task


def ordered_classes(y: Any, *, num_classes: int | None = None) -> Task:
    """The task of predicting one of several classes that have an order.

    Outputs are one logit per step from a class to the next, (batch, num_classes - 1): that the class is above k, given
    that it is at least k. The probabilities of all classes follow and are always consistent (continuation ratios,
    Fienberg 1980; Shi, Cao and Raschka 2021, CORN). The predicted class is the median.

    Args:
        y: class numbers from 0 up in their order, one per row.
        num_classes: None for as many as the labels say.

    Raises:
        DataError: labels that are not whole numbers of at least 0.
        RecipeError: fewer classes than the labels have.
    """
    found = int(class_numbers(y).max()) + 1
    if num_classes is not None and num_classes < max(2, found):
        raise RecipeError(f"num_classes is {num_classes}; expected at least {max(2, found)}, as many as the labels say")
    steps = max(1, (num_classes or found) - 1)

    def loss(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
        require_labels(y, steps + 1)
        return -class_log_probs(outputs).gather(1, y[:, None])[:, 0]

    return Task(
        name="ordered_classes",
        outputs=numbers_per_row(steps, "ordered_classes"),
        num_outputs=steps,
        logits=class_log_probs,
        values=lambda outputs: expected_class(outputs)[:, None],
        observed=lambda outputs: {"probs": class_log_probs(outputs).exp(), "predicted": median_class(outputs)},
        standard=lambda outputs: outputs,
        combined=_combined,
        loss=loss,
        quality=lambda outputs, y, extra: (median_class(outputs) == y).double(),
        moved=lambda outputs, others: (expected_class(outputs) - expected_class(others)).abs() / steps,
        drawn=lambda outputs, others, y, other_y: (
            (expected_class(outputs) - expected_class(others)) / steps * (other_y - y).sign()
        ),
        target=first_output,
        check=class_numbers,
        strata=lambda y: y.cpu().long(),
        score="target_value",
        start=((), ()),
        metrics=(
            *("accuracy", "mean_absolute_error", "quadratic_kappa", "spearman", "classwise_calibration_error"),
            *("mean_shift", "attribution_overlap"),
        ),
        quality_name="accuracy",
        moved_as="predictions by {} % of the scale",
        chance=0.0,
        written=plain_number,
        reads="logits",
    )


def class_log_probs(outputs: Float[Tensor, " batch step"]) -> Float[Tensor, " batch num_classes"]:
    """The log-probability of each class: above every step below it, and not above its own."""
    above, not_above = logsigmoid(outputs), logsigmoid(-outputs)
    reached = torch.cat([torch.zeros_like(above[:, :1]), above.cumsum(dim=1)], dim=1)
    return reached + torch.cat([not_above, torch.zeros_like(not_above[:, :1])], dim=1)


def _combined(passes: Float[Tensor, " pass batch step"]) -> Float[Tensor, " batch step"]:
    """The logits of each step that give the mean probabilities."""
    log_probs = torch.stack([class_log_probs(outputs) for outputs in passes]).logsumexp(dim=0)
    above = log_probs.flip(1).logcumsumexp(dim=1).flip(1)[:, 1:]
    return above - log_probs[:, :-1]


def expected_class(outputs: Float[Tensor, " batch step"]) -> Float[Tensor, " batch"]:
    """The mean of the class numbers."""
    return logsigmoid(outputs).cumsum(dim=1).exp().sum(dim=1)


def median_class(outputs: Float[Tensor, " batch step"]) -> Int[Tensor, " batch"]:
    """The number of classes that are exceeded with a probability above a half."""
    return (logsigmoid(outputs).cumsum(dim=1).exp() > 0.5).sum(dim=1)
