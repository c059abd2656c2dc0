"""How much rates, losses or predictions differ between groups; 0 means not at all.

Each metric is the largest minus the smallest rate or mean over groups, as fairlearn's of the same name. Groups with
fewer than two rows for it are left out; if fewer than two groups remain, the difference is NaN. The positive class is
class 1. A difference of groups that are alike is above 0 by chance, and so is the lower end of its interval.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

MOST_GROUPS = 1000
"""The largest difference between numbers of groups for which each number is counted."""


def demographic_parity_difference(predicted: Int[Tensor, " n"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Largest minus smallest rate of predicted class 1 over groups."""
    return _gap(predicted == 1, group)


def equal_opportunity_difference(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest true positive rate over groups (Hardt, Price and Srebro 2016)."""
    return _gap(predicted[y == 1] == 1, group[y == 1])


def equalized_odds_difference(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """The larger of two differences over groups: in true and in false positive rate (Hardt et al. 2016)."""
    differences = [_gap(predicted[rows] == 1, group[rows]) for rows in (y == 1, y != 1)]
    return torch.stack(differences).max()


def group_accuracy_gap(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest accuracy over groups."""
    return _gap(predicted == y, group)


def group_prob_gap(probs: Float[Tensor, " n num_classes"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Largest minus smallest mean probability of class 1 over groups."""
    return _gap(probs[:, 1], group)


def group_calibration_gap(
    probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest excess of the mean probability of class 1 over its rate, over groups.

    Opposite errors within a group cancel: a group whose probabilities are right on average counts as calibrated.
    """
    return _gap(probs[:, 1].double() - (y == 1).double(), group)


def group_loss_gap(loss: Float[Tensor, " n"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean loss of the group with the largest minus that of the one with the smallest (Agarwal, Dudík and Wu 2019)."""
    return _gap(loss, group)


def group_mean_gap(
    predicted: Float[Tensor, " n"], exposure: Float[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest mean prediction over groups, in the unit of the labels per unit of exposure.

    Each row counts as much as its exposure, which is 1 where there is none.
    """
    return _gap(predicted, group, exposure)


def group_balance_gap(
    predicted: Float[Tensor, " n"], y: Float[Tensor, " n"], exposure: Float[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest ratio, over groups, of the sum predicted to the sum observed.

    Predictions are taken times the exposure. NaN where the labels of a group do not sum to more than 0.
    """
    count, (expected, observed) = _sums(group, predicted.double() * exposure.double(), y)
    counts = count >= 2
    if not bool((observed[counts] > 0).all()):
        return _undefined(group)
    return _spread((expected / observed)[counts], group)


def _gap(values: Tensor, group: Tensor, weight: Tensor | None = None) -> Tensor:
    """Largest minus smallest mean over groups, each row with its weight."""
    weight = torch.ones_like(group, dtype=torch.float64) if weight is None else weight.double()
    count, (total, weights) = _sums(group, values.double() * weight, weight)
    return _spread((total / weights)[count >= 2], group)


def _sums(group: Tensor, *values: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The number of rows of each group, and the sums of the values over them; groups may be empty."""
    place = _places(group)
    return place.bincount(), tuple(place.bincount(weights=each.double()) for each in values)


def _places(group: Tensor) -> Tensor:
    """The number of each row's group, from 0 up; sorting, which a thousand resamples repeat, only where it must be."""
    if len(group) and int(group.max() - group.min()) < MOST_GROUPS:
        return group - group.min()
    places: Tensor = group.unique(return_inverse=True)[1]
    return places


def _spread(of_groups: Tensor, group: Tensor) -> Tensor:
    if len(of_groups) < 2:
        return _undefined(group)
    found: Tensor = of_groups.max() - of_groups.min()
    return found


def _undefined(group: Tensor) -> Tensor:
    return torch.tensor(torch.nan, dtype=torch.float64, device=group.device)
