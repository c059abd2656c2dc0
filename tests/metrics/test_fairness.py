import pytest
import torch

from corrigible.intervals import resamples
from corrigible.metrics import (
    OWN_INTERVALS,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    group_accuracy_gap,
    group_balance_gap,
    group_calibration_gap,
    group_loss_gap,
    group_mean_gap,
    group_prob_gap,
)

RNG = torch.Generator().manual_seed(0)
PREDICTED, Y = torch.randint(2, (2, 120), generator=RNG)
GROUP = torch.randint(3, (120,), generator=RNG)
PROBS = torch.rand(120, 2, generator=RNG).softmax(dim=1)


def spread(values, rows=slice(None)):
    rates = [values[rows][GROUP[rows] == g].double().mean().item() for g in range(3)]
    return max(rates) - min(rates)


def test_differences_are_largest_less_smallest_rate_of_three_groups():
    assert demographic_parity_difference(PREDICTED, GROUP).item() == pytest.approx(spread(PREDICTED))
    assert group_accuracy_gap(PREDICTED, Y, GROUP).item() == pytest.approx(spread(PREDICTED == Y))
    assert group_prob_gap(PROBS, GROUP).item() == pytest.approx(spread(PROBS[:, 1]))


def test_equalized_odds_takes_the_worse_of_both_rates():
    only_true_positives = torch.where(Y == 1, PREDICTED, 0)
    only_false_positives = torch.where(Y == 1, 1, PREDICTED)
    true_positive, false_positive = spread(PREDICTED, Y == 1), spread(PREDICTED, Y == 0)
    assert equalized_odds_difference(only_true_positives, Y, GROUP).item() == pytest.approx(true_positive)
    assert equalized_odds_difference(only_false_positives, Y, GROUP).item() == pytest.approx(false_positive)
    assert equalized_odds_difference(PREDICTED, Y, GROUP).item() == pytest.approx(max(true_positive, false_positive))


def test_a_group_of_one_row_is_left_out():
    predicted, group = torch.tensor([1, 0, 1, 1, 0]), torch.tensor([0, 0, 1, 1, 2])
    assert demographic_parity_difference(predicted, group) == 0.5


def test_one_group_alone_has_no_difference():
    assert demographic_parity_difference(PREDICTED, torch.zeros_like(GROUP)).isnan()
    assert group_prob_gap(PROBS[:3], torch.tensor([0, 0, 1])).isnan()


def test_equalized_odds_needs_two_rows_of_each_label_in_two_groups():
    y, group = torch.tensor([1, 1, 0, 0, 1, 1, 0]), torch.tensor([0, 0, 0, 0, 1, 1, 1])
    assert equalized_odds_difference(y, y, group).isnan()
    assert equalized_odds_difference(y, torch.tensor([1, 1, 0, 0, 1, 1, 1]), group).isnan()


def test_means_of_amounts_differ_too():
    amounts = 100 * PROBS[:, 0]
    assert group_mean_gap(amounts, torch.ones(120), GROUP).item() == pytest.approx(spread(amounts))


def test_means_of_amounts_count_by_exposure():
    amounts, exposure = 100 * PROBS[:, 0], 0.1 + PROBS[:, 1]
    means = [(amounts * exposure)[g == GROUP].sum().item() / exposure[g == GROUP].sum().item() for g in range(3)]
    assert group_mean_gap(amounts, exposure, GROUP).item() == pytest.approx(max(means) - min(means))


def test_balance_is_the_ratio_of_sums_and_is_undefined_where_nothing_was_observed():
    predicted, y = torch.tensor([1.0, 2, 3, 1]), torch.tensor([1.0, 1, 3, 3])
    exposure, group = torch.tensor([1.0, 0.5, 1, 1]), torch.tensor([0, 0, 1, 1])
    assert group_balance_gap(predicted, y, exposure, group).item() == pytest.approx(2 / 2 - 4 / 6)
    assert group_balance_gap(predicted, torch.tensor([0.0, 0, 3, 3]), exposure, group).isnan()


def test_a_calibrated_group_has_the_rate_it_is_said_to_have():
    assert group_calibration_gap(PROBS, Y, GROUP).item() == pytest.approx(spread(PROBS[:, 1] - Y))
    assert group_loss_gap(PROBS[:, 0], GROUP).item() == pytest.approx(spread(PROBS[:, 0]))
    assert equal_opportunity_difference(PREDICTED, Y, GROUP).item() == pytest.approx(spread(PREDICTED, Y == 1))


def test_values_are_those_of_fairlearn():
    theirs = pytest.importorskip("fairlearn.metrics")
    rows = {"y_true": Y.numpy(), "y_pred": PREDICTED.numpy(), "sensitive_features": GROUP.numpy()}
    assert demographic_parity_difference(PREDICTED, GROUP).item() == pytest.approx(
        theirs.demographic_parity_difference(**rows)
    )
    for ours in (equalized_odds_difference, equal_opportunity_difference):
        expected = getattr(theirs, ours.__name__)(**rows)
        assert ours(PREDICTED, Y, GROUP).item() == pytest.approx(expected)
    accuracy = theirs.MetricFrame(metrics=lambda y, p: (y == p).mean(), **rows)
    assert group_accuracy_gap(PREDICTED, Y, GROUP).item() == pytest.approx(accuracy.difference())
    probs = rows | {"y_pred": PROBS[:, 1].double().numpy()}
    selected = theirs.MetricFrame(metrics=theirs.mean_prediction, **probs)
    assert group_prob_gap(PROBS, GROUP).item() == pytest.approx(selected.difference())


def test_the_interval_of_a_gap_is_its_definition_written_out():
    low, high = OWN_INTERVALS[group_loss_gap](loss=PROBS[:, 0], group=GROUP, num_resamples=50, seed=1)
    means = torch.stack([PROBS[g == GROUP, 0].double().mean() for g in range(3)])
    drawn = torch.stack(
        [
            torch.stack([PROBS[i[GROUP[i] == g], 0].double().mean() for g in range(3)])
            for i in resamples(120, num_resamples=50, seed=1)
        ]
    )
    gaps, off = (each.amax(dim=1) - each.amin(dim=1) for each in (drawn, drawn - means))
    value = means.max() - means.min()
    assert low == pytest.approx(max(0.0, float(value - off.quantile(0.975))))
    assert high == pytest.approx(max(float(value), float(gaps.quantile(0.975))))


@pytest.mark.parametrize("rates", [(0.4, 0.4, 0.4, 0.4), (0.2, 0.7)])
@pytest.mark.slow
def test_the_interval_holds_the_value_and_in_19_of_20_cases_the_true_gap(rates):
    held, times, generator = 0, 40, torch.Generator().manual_seed(0)
    for seed in range(times):
        group = torch.randint(len(rates), (200,), generator=generator)
        predicted = (torch.rand(200, generator=generator) < torch.tensor(rates)[group]).long()
        low, high = OWN_INTERVALS[demographic_parity_difference](
            predicted=predicted, group=group, num_resamples=100, seed=seed
        )
        assert low <= float(demographic_parity_difference(predicted, group)) <= high
        held += low <= max(rates) - min(rates) <= high
    assert held >= 0.9 * times


def test_groups_too_small_on_all_rows_stay_out_of_resamples():
    group = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2])
    loss = torch.tensor([1.0] * 4 + [2.0] * 4 + [100.0])
    assert OWN_INTERVALS[group_loss_gap](loss=loss, group=group, num_resamples=50, seed=0) == pytest.approx((1, 1))
