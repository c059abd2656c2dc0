"""Share of correct predictions: on all rows, per class, per group, per label."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


def accuracy(predicted: Int[Tensor, " n"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of rows whose predicted class is the label."""
    return (predicted == y).double().mean()


def class_accuracy(predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], *, label: int) -> Float[Tensor, ""]:
    """Share of correct predictions among the rows of one class: its recall."""
    return accuracy(predicted[y == label], y[y == label])


def group_accuracy(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"], *, group_value: int
) -> Float[Tensor, ""]:
    """Share of correct predictions among the rows of one group."""
    return accuracy(predicted[group == group_value], y[group == group_value])


def worst_class_accuracy(predicted: Int[Tensor, " n"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Smallest accuracy over the classes that occur among the labels."""
    return _smallest(_accuracies(predicted, y, y))


def macro_group_accuracy(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Mean of the groups' accuracies, with equal weight for each group."""
    return _accuracies(predicted, y, group).mean()


def worst_group_accuracy(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Smallest accuracy over groups.

    If groups are pairs of class and attribute (Sagawa et al. 2020), pass these pairs as the group.
    """
    return _smallest(_accuracies(predicted, y, group))


def label_accuracy(predicted: Int[Tensor, " n label"], y: Shaped[Tensor, " n label"]) -> Float[Tensor, ""]:
    """Share of correct predictions over all labels of all rows, each present or absent."""
    return (predicted == y).double().mean()


def exact_match(predicted: Int[Tensor, " n label"], y: Shaped[Tensor, " n label"]) -> Float[Tensor, ""]:
    """Share of rows whose labels are all predicted correctly."""
    return (predicted == y).all(dim=1).double().mean()


def _accuracies(predicted: Tensor, y: Tensor, part: Tensor) -> Tensor:
    """The accuracy of each part that has rows."""
    place = part.unique(return_inverse=True)[1]
    shares: Tensor = place.bincount(weights=(predicted == y).double()) / place.bincount()
    return shares


def _smallest(values: Tensor) -> Tensor:
    return values.min() if len(values) else torch.tensor(torch.nan, dtype=torch.float64)
