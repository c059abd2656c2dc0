"""How much rates, losses or predictions differ between groups; 0 means not at all.

Each metric is the largest minus the smallest rate or mean over groups, as fairlearn's of the same name. Groups with
fewer than two rows for it are left out; if fewer than two groups remain, the difference is NaN. The positive class is
class 1. A difference of groups that are alike is above 0 by chance.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.intervals import percentile_interval, resamples

MOST_GROUPS = 1000
"""The largest difference between numbers of groups for which each number is counted."""


def demographic_parity_difference(predicted: Int[Tensor, " n"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Largest minus smallest rate of predicted class 1 over groups."""
    return _gap(_predicted_rates(predicted), group)


def equal_opportunity_difference(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest true positive rate over groups (Hardt, Price and Srebro 2016)."""
    return _gap(_true_positive_rates(predicted, y), group)


def equalized_odds_difference(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """The larger of two differences over groups: in true and in false positive rate (Hardt et al. 2016)."""
    return _gap(_both_rates(predicted, y), group)


def group_accuracy_gap(
    predicted: Int[Tensor, " n"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest accuracy over groups."""
    return _gap(_accuracies(predicted, y), group)


def group_prob_gap(probs: Float[Tensor, " n num_classes"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Largest minus smallest mean probability of class 1 over groups."""
    return _gap(_mean_probs(probs), group)


def group_calibration_gap(
    probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest excess of the mean probability of class 1 over its rate, over groups.

    Opposite errors within a group cancel: a group whose probabilities are right on average counts as calibrated.
    """
    return _gap(_excesses(probs, y), group)


def group_loss_gap(loss: Float[Tensor, " n"], group: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean loss of the group with the largest minus that of the one with the smallest (Agarwal, Dudík and Wu 2019).

    The loss is the task's: of classes minus the logarithm of the label's probability, of counts that of the label's
    Poisson probability, of amounts half the squared error in units of the labels' variance.
    """
    return _gap(_mean_losses(loss), group)


def group_mean_gap(
    predicted: Float[Tensor, " n"], exposure: Float[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest mean prediction over groups, in the unit of the labels per unit of exposure.

    Each row counts as much as its exposure, which is 1 where there is none.
    """
    return _gap(_mean_predictions(predicted, exposure), group)


def group_balance_gap(
    predicted: Float[Tensor, " n"], y: Float[Tensor, " n"], exposure: Float[Tensor, " n"], group: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Largest minus smallest ratio, over groups, of the sum predicted to the sum observed.

    Predictions are taken times the exposure. NaN where the labels of a group do not sum to more than 0.
    """
    return _gap(_balances(predicted, y, exposure), group)


def gap_interval_of(
    metric: Callable[..., Tensor], group: Int[Tensor, " n"], *, num_resamples: int, seed: int = 0, **rows: Tensor
) -> tuple[float, float] | None:
    """The 95 % interval of a gap, which holds the measured value; None where no resample has two groups.

    The percentile interval would lie too high: the largest of several means less the smallest is too large with few
    rows, on resamples more so. By the triangle inequality the measured gap is at most so far above the true one as
    the largest less the smallest of the groups' errors; resamples tell how far that is. So the lower end is the value
    less the 97.5 % quantile of this distance, 0 where groups may well be alike. The upper end is that of the percentile
    interval. As of the expected calibration error, an interval above 0 is wider than it must be.

    Args:
        metric: one of this module.
        rows: its other observations.
    """
    ratios, place = GROUPS_COMPARED[metric](**rows), _places(group)
    whole = [ratio.of_groups(place) for ratio in ratios]
    value, off, drawn = _largest_spread(whole), [], []
    for index in resamples(len(group), num_resamples, seed):
        times = index.bincount(minlength=len(group))
        errors = [ratio.of_groups(place, times) - was for ratio, was in zip(ratios, whole, strict=True)]
        off.append(_largest_spread(errors))
        drawn.append(_largest_spread([was + error for was, error in zip(whole, errors, strict=True)]))
    defined = ~torch.stack(off).isnan()
    if not bool(defined.any()):
        return None
    far, high = (percentile_interval(torch.stack(each)[defined])[1].item() for each in (off, drawn))
    return max(0.0, float(value) - far), max(float(value), high)


@dataclass(frozen=True)
class _Ratio:
    """What is compared: in each group, the sum of one number over its rows divided by that of another."""

    above: Float[Tensor, " n"]
    below: Float[Tensor, " n"]
    counts: Tensor | None = None
    """Which rows are meant; None for all."""

    def of_groups(self, place: Int[Tensor, " n"], times: Int[Tensor, " n"] | None = None) -> Float[Tensor, " group"]:
        """NaN for groups of fewer than two rows; for all, where another group has nothing above 0 to divide by.

        Args:
            times: how often each row is there; None for once.
        """
        times = torch.ones_like(place) if times is None else times.to(place)
        times = times if self.counts is None else times * self.counts.to(times)
        weight = times.double()
        is_large = place.bincount(weights=weight) >= 2
        above, below = (place.bincount(weights=weight * each) for each in (self.above, self.below))
        found = torch.where(below > 0, above / below, torch.nan)
        if bool(found[is_large].isnan().any()):
            return torch.full_like(found, torch.nan)
        return torch.where(is_large, found, torch.nan)


def _mean(values: Tensor, counts: Tensor | None = None) -> _Ratio:
    return _Ratio(values.double(), torch.ones_like(values, dtype=torch.float64), counts)


def _predicted_rates(predicted: Tensor) -> tuple[_Ratio, ...]:
    return (_mean(predicted == 1),)


def _true_positive_rates(predicted: Tensor, y: Tensor) -> tuple[_Ratio, ...]:
    return (_mean(predicted == 1, y == 1),)


def _both_rates(predicted: Tensor, y: Tensor) -> tuple[_Ratio, ...]:
    return _mean(predicted == 1, y == 1), _mean(predicted == 1, y != 1)


def _accuracies(predicted: Tensor, y: Tensor) -> tuple[_Ratio, ...]:
    return (_mean(predicted == y),)


def _mean_probs(probs: Tensor) -> tuple[_Ratio, ...]:
    return (_mean(probs[:, 1]),)


def _excesses(probs: Tensor, y: Tensor) -> tuple[_Ratio, ...]:
    return (_mean(probs[:, 1].double() - (y == 1).double()),)


def _mean_losses(loss: Tensor) -> tuple[_Ratio, ...]:
    return (_mean(loss),)


def _mean_predictions(predicted: Tensor, exposure: Tensor) -> tuple[_Ratio, ...]:
    return (_Ratio(predicted.double() * exposure.double(), exposure.double()),)


def _balances(predicted: Tensor, y: Tensor, exposure: Tensor) -> tuple[_Ratio, ...]:
    return (_Ratio(predicted.double() * exposure.double(), y.double()),)


GROUPS_COMPARED: Mapping[Callable[..., Tensor], Callable[..., tuple[_Ratio, ...]]] = MappingProxyType(
    {
        demographic_parity_difference: _predicted_rates,
        equal_opportunity_difference: _true_positive_rates,
        equalized_odds_difference: _both_rates,
        group_accuracy_gap: _accuracies,
        group_prob_gap: _mean_probs,
        group_calibration_gap: _excesses,
        group_loss_gap: _mean_losses,
        group_mean_gap: _mean_predictions,
        group_balance_gap: _balances,
    }
)
"""What each gap compares between groups, of its observations without the group."""


def _gap(ratios: tuple[_Ratio, ...], group: Tensor) -> Tensor:
    if not len(group):
        return torch.tensor(torch.nan, dtype=torch.float64, device=group.device)
    place = _places(group)
    return _largest_spread([ratio.of_groups(place) for ratio in ratios])


def _places(group: Tensor) -> Tensor:
    """The number of each row's group, from 0 up; sorting, which a thousand resamples repeat, only where it must be."""
    if len(group) and int(group.max() - group.min()) < MOST_GROUPS:
        return group - group.min()
    places: Tensor = group.unique(return_inverse=True)[1]
    return places


def _largest_spread(of_parts: list[Tensor]) -> Tensor:
    """The largest less the smallest over the groups that have a number, of the part where it is largest."""
    return torch.stack([_spread(of_groups[~of_groups.isnan()], of_groups) for of_groups in of_parts]).max()


def _spread(defined: Tensor, of_groups: Tensor) -> Tensor:
    if len(defined) < 2:
        return torch.tensor(torch.nan, dtype=torch.float64, device=of_groups.device)
    found: Tensor = defined.max() - defined.min()
    return found
