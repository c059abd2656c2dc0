"""What a metric cannot measure on some rows: the groups or classes that it leaves out, or why it is not defined.

Each function takes observations by name, as metrics do; its entries become the note of the measurement.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from corrigible.tasks.rates import all_equal


class Unmeasured(NamedTuple):
    """Something that a metric could not measure."""

    why: str
    kind: Literal["group", "class", "label", ""] = ""
    """What ``values`` are numbers of; empty if it is about all rows."""
    values: tuple[int, ...] = ()


def small_groups(group: Int[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Groups of a single row."""
    yield from _small("left out, with fewer than two rows", group, group)


def small_groups_by_label(y: Int[Tensor, " n"], group: Int[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Groups with fewer than two rows that have label 1, or another label."""
    for rows, what in ((y == 1, "of label 1"), (y != 1, "of another label than 1")):
        yield from _small(f"left out, with fewer than two rows {what}", group[rows], group)


def small_groups_of_the_class(y: Int[Tensor, " n"], group: Int[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Groups with fewer than two rows that have label 1."""
    yield from _small("left out, with fewer than two rows of label 1", group[y == 1], group)


def groups_without_balance(y: Float[Tensor, " n"], group: Int[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Groups of a single row, and others whose labels do not sum to more than 0."""
    yield from small_groups(group)
    values, place = group.unique(return_inverse=True)
    has_none = (place.bincount(weights=y.double()) <= 0) & (place.bincount() >= 2)
    if bool(has_none.any()):
        yield Unmeasured("labels that do not sum to more than 0", "group", tuple(values[has_none].tolist()))


def groups_of_one_row(group: Int[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Groups whose rate is that of a single row."""
    yield from _small("measured on a single row", group, group)


def classes_without_rows(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Classes of the model that no row has."""
    yield from _found("left out, without rows", "class", y.bincount(minlength=probs.shape[1]) == 0)


def classes_to_rank(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Classes that no row has; all of them if every row has the same."""
    if _is_constant(y):
        yield Unmeasured("every row has the same label")
    elif probs.shape[1] > 2:
        yield from classes_without_rows(probs, y)


def never_predicted(
    predicted: Int[Tensor, " n"], probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]
) -> Iterator[Unmeasured]:
    """Classes that are never predicted."""
    yield from _shares_of_no_rows("left out, never predicted", predicted, y, probs.shape[1])


def never_labelled(
    predicted: Int[Tensor, " n"], probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]
) -> Iterator[Unmeasured]:
    """Classes that no row has."""
    yield from _shares_of_no_rows("left out, without rows", y, predicted, probs.shape[1])


def neither(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], probs: Float[Tensor, " n num_classes"]
) -> Iterator[Unmeasured]:
    """Class 1 of two, if no row has it and none is predicted as it."""
    if probs.shape[1] == 2 and not bool(((predicted == 1) | (y == 1)).any()):
        yield Unmeasured("no row has or is predicted as this class", "class", (1,))


def absent_labels(predicted: Int[Tensor, " n label"], y: Shaped[Tensor, " n label"]) -> Iterator[Unmeasured]:
    """Labels that no row has and none is predicted to have."""
    yield from _found("left out, without rows", "label", (predicted + y).sum(dim=0) == 0)


def labels_to_rank(y: Shaped[Tensor, " n label"]) -> Iterator[Unmeasured]:
    """Labels that all rows have, or none."""
    share = (y > 0).double().mean(dim=0)
    yield from _found("left out, since all rows or none have it", "label", (share == 0) | (share == 1))


def equal_labels(y: Shaped[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Whether all labels are equal."""
    if _is_constant(y):
        yield Unmeasured("all labels are equal")


def one_class(predicted: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Whether all labels and predictions are the same class."""
    if _is_constant(torch.cat([predicted, y])):
        yield Unmeasured("all labels and predictions are the same class")


def without_order(
    predicted: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"], exposure: Float[Tensor, " n"]
) -> Iterator[Unmeasured]:
    """Whether all labels or all predictions are equal."""
    yield from equal_labels(y)
    if _is_constant(predicted.double() * exposure.double()):
        yield Unmeasured("all predictions are equal")


def without_pairs(y: Shaped[Tensor, " n"], query: Shaped[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Whether no two rows of a query have different labels."""
    pairs = torch.stack([query.double(), y.double()], dim=1).unique(dim=0)
    if len(pairs) == len(query.unique()):
        yield Unmeasured("no two rows of a query have different labels")


def without_deviance(predicted: Float[Tensor, " n"], y: Float[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Predictions or labels that the distribution does not have."""
    if not bool((predicted > 0).all()):
        yield Unmeasured("a prediction is not above 0")
    if not bool((y >= 0).all()):
        yield Unmeasured("a label is below 0")


def without_gamma_deviance(predicted: Float[Tensor, " n"], y: Float[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Predictions or labels that are not above 0."""
    for values, what in ((predicted, "prediction"), (y, "label")):
        if not bool((values > 0).all()):
            yield Unmeasured(f"a {what} is not above 0")


def equal_rates(y: Float[Tensor, " n"], exposure: Float[Tensor, " n"]) -> Iterator[Unmeasured]:
    """Labels per unit of exposure that are all equal, or below 0."""
    if not bool((y >= 0).all()):
        yield Unmeasured("a label is below 0")
    if all_equal(y.double() / exposure.double()):
        yield Unmeasured("all labels per unit of exposure are equal")


def _small(why: str, group: Tensor, every: Tensor) -> Iterator[Unmeasured]:
    values, place = every.unique(return_inverse=True)
    count = (group[:, None] == values[None]).sum(dim=0) if len(group) != len(every) else place.bincount()
    if bool((count < 2).any()):
        yield Unmeasured(why, "group", tuple(values[count < 2].tolist()))


def _shares_of_no_rows(why: str, whole: Tensor, other: Tensor, num_classes: int) -> Iterator[Unmeasured]:
    """Classes of which ``whole`` has no rows; of two classes only class 1 counts, of more those that ``other`` has."""
    is_absent = whole.bincount(minlength=num_classes) == 0
    counts = torch.tensor([False, True]) if num_classes == 2 else other.bincount(minlength=num_classes) > 0
    yield from _found(why, "class", is_absent & counts)


def _found(why: str, kind: Literal["group", "class", "label", ""], where: Tensor) -> Iterator[Unmeasured]:
    if bool(where.any()):
        yield Unmeasured(why, kind, tuple(where.nonzero().flatten().tolist()))


def _is_constant(values: Tensor) -> bool:
    return not bool((values != values[:1]).any())


OF_THE_POSITIVE_CLASS = (
    *("precision", "recall", "f1"),
    *("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"),
    *("group_prob_gap", "group_calibration_gap"),
)
"""Metrics of two classes that are about the second."""
UNMEASURED: dict[str, Callable[..., Iterator[Unmeasured]]] = {
    "demographic_parity_difference": small_groups,
    "group_accuracy_gap": small_groups,
    "group_prob_gap": small_groups,
    "group_calibration_gap": small_groups,
    "group_loss_gap": small_groups,
    "group_mean_gap": small_groups,
    "group_balance_gap": groups_without_balance,
    "equal_opportunity_difference": small_groups_of_the_class,
    "equalized_odds_difference": small_groups_by_label,
    "macro_group_accuracy": groups_of_one_row,
    "worst_group_accuracy": groups_of_one_row,
    "worst_class_accuracy": classes_without_rows,
    "auc": classes_to_rank,
    "precision": never_predicted,
    "recall": never_labelled,
    "f1": neither,
    "macro_f1": absent_labels,
    "macro_auc": labels_to_rank,
    "quadratic_kappa": one_class,
    "r2": equal_labels,
    "spearman": without_order,
    "pair_accuracy": without_pairs,
    "gini": equal_rates,
    "mean_poisson_deviance": without_deviance,
    "deviance_explained": without_deviance,
    "mean_tweedie_deviance": without_deviance,
    "mean_gamma_deviance": without_gamma_deviance,
}
"""What each metric cannot measure, by the metric's name."""
