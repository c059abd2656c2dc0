"""How much rates or predictions differ between groups; 0 means not at all.

Each metric is the largest minus the smallest rate or mean over groups. Groups with fewer than two rows for it are left
out; if fewer than two groups remain, the difference is NaN. The positive class is class 1.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def demographic_parity_difference(predicted: Int[Tensor, " n"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Largest minus smallest rate of predicted class 1 over groups."""
    return _gap(predicted == 1, group)


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


def group_mean_gap(predicted: Float[Tensor, " n"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Largest minus smallest mean prediction over groups, in the unit of the labels; per unit of exposure if given."""
    return _gap(predicted, group)


def _gap(values: Tensor, group: Tensor) -> Tensor:
    place = group.unique(return_inverse=True)[1]
    count = place.bincount()
    means: Tensor = (place.bincount(weights=values.double()) / count)[count >= 2]
    if len(means) < 2:
        return torch.tensor(torch.nan, dtype=torch.float64, device=group.device)
    return means.max() - means.min()
