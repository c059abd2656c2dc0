"""What every metric obeys."""

import math
from functools import partial

import pytest
import torch

from corrigible.evaluation import PARTS, observations_for
from corrigible.methods import settings_of
from corrigible.metrics import METRICS

NAN, LN2, LN3 = math.nan, math.log(2), math.log(3)


def kept(begin, end):
    """The integral of -ln t, what errors in this stretch of the sorted rows add to the area of the risk."""
    return end - begin - (end * math.log(end) - begin * math.log(begin))


def _two_columns(prob):
    prob = torch.tensor(prob, dtype=torch.float64)
    return torch.stack([1 - prob, prob], dim=1)


TABLE = {
    "probs": _two_columns([0.9, 0.83, 0.7, 0.17, 0.62, 0.38, 0.38, 0.1, 0.56]),
    "predicted": torch.tensor([1, 1, 1, 0, 1, 0, 0, 0, 1]),
    "y": torch.tensor([1, 0, 1, 0, 0, 1, 0, 0, 1]),
    "group": torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1]),
    "flipped": torch.tensor([0, 0.5, 1, 0, 0, 0.25, 0, 0, 1]),
    "swapped_hits": torch.tensor([1, 0.5, 0, 1, 1, 0.25, 1, 0.75, 0]),
    "attribution_share": torch.tensor([0.1, 0.3, NAN, 0.2, 0, 1, 0.4, 0.5, 0.3]),
    "reflected_probs": _two_columns([0.4, 0.83, 0.7, 0.17, 0.62, 0.58, 0.38, 0.1, 0.36]),
    "loss": torch.tensor([0.1, 0.2, 0.4, 0.2, 1, 1, 0.5, 0.1, 0.6]),
    "shift": torch.tensor([0, 0.5, 1, 0, 0, 0.2, 0, 0, 1]),
    "swapped_loss": torch.tensor([0.3, 0.5, 0.9, 0.2, 1, 2, 0.5, 0.1, 3.5]),
    "deletion": torch.tensor([0.1, 0.3, 0.2, 0.2, 0, 1, 0.4, 0.5, 0.9]),
    "insertion": torch.tensor([0.9, 0.7, 0.8, 0.8, 1, 0, 0.6, 0.5, 0.2]),
    "sparseness": torch.tensor([0.5, 0.25, NAN, 0.75, 0.5, 0.5, 0, 0.5, 1]),
    "pointing": torch.tensor([1, 0, 0.5, NAN, NAN, 1, 0.25, 0, 1]),
    "relevance_mass": torch.tensor([0.8, 0.2, NAN, NAN, NAN, 1, 0.5, 0.25, 0.85]),
    "relevance_rank": torch.tensor([0.5, 0.5, NAN, NAN, NAN, 1, 0.75, 0.25, 1]),
}
AMOUNTS = {
    "predicted": torch.tensor([1.0, 2, 4, 1]),  # per unit of exposure: 1, 4, 2 and 1 are expected
    "y": torch.tensor([2.0, 4, 1, 3]),  # 2, 2, 2 and 3 per unit of exposure
    "exposure": torch.tensor([1, 2, 0.5, 1]),
    "sd": torch.tensor([1, 0.1, 1, 1]),
    "quantiles": torch.tensor([[1.0, 3], [2, 5], [0, 1], [3, 4]]),
    "levels": torch.tensor([[0.25, 0.75]]).repeat(4, 1),
    "query": torch.tensor([0, 0, 1, 0]),
    "group": torch.tensor([0, 0, 1, 1]),
}
SEVERAL = {
    "probs": torch.tensor([[0.9, 0.2], [0.6, 0.7], [0.1, 0.2]]),
    "predicted": torch.tensor([[1, 0], [1, 1], [0, 0]]),
    "y": torch.tensor([[1.0, 0], [0, 1], [0, 1]]),
}
POISSON = 2 * LN2 + 6 * LN3 - 4  # 2 (2 ln 2 - 1) + 0 + (2 - 2 ln 2) + 2 (3 ln 3 - 2)
WORKED_AMOUNTS = {
    "mean_absolute_error": 1,
    "root_mean_squared_error": math.sqrt(6 / 4),
    "r2": 1 - 6 / 5,
    "interval_coverage": 1 / 4,
    "mean_pinball_loss": 1.75 / 8,
    "quantile_calibration_error": (0 + 0.25) / 2,
    "mean_poisson_deviance": POISSON / 4.5,
    "deviance_explained": 1 - POISSON / (2 * (7 * math.log(0.9) + 3 * math.log(1.35))),  # the mean rate is 20 / 9
    "mean_gamma_deviance": (5.5 - LN2 - 2 * LN3) / 4.5,
    "mean_tweedie_deviance": (4 * (2**0.5 - 1) ** 2 + (2 - 2**0.5) ** 2 + 4 * (3**0.5 - 1) ** 2) / 4.5,
    "group_mean_gap": 3 / 1.5 - 5 / 3,
    "group_balance_gap": 5 / 6 - 3 / 4,
    "spearman": 1.5 / math.sqrt(4.5 * 5),  # ranks 1.5, 4, 3, 1.5 and 2, 4, 1, 3
    "pair_accuracy": 2.5 / 3,  # rows 0 and 3 tie
    "gini": (1 - 9.5 / 9) / (1 - 8.3 / 9),
}
WORKED_SEVERAL = {"label_accuracy": 4 / 6, "exact_match": 1 / 3, "macro_f1": 2 / 3, "macro_auc": (1 + 0.75) / 2}
WORKED = {
    **WORKED_AMOUNTS,
    **WORKED_SEVERAL,
    "quadratic_kappa": 14 / 41,  # 3 of 9 disagree, 41 of 81 by chance
    "mean_loss": 4.1 / 9,
    "mean_shift": 2.7 / 9,
    "mean_swapped_loss": 9 / 9,
    "accuracy": 6 / 9,
    "class_accuracy": 3 / 4,  # class 1: rows 0, 2, 5, 8; row 5 is wrong
    "group_accuracy": 3 / 5,  # group 1
    "worst_class_accuracy": 3 / 5,  # class 0
    "macro_group_accuracy": (3 / 4 + 3 / 5) / 2,
    "worst_group_accuracy": 3 / 5,
    "precision": 3 / 5,
    "recall": 3 / 4,
    "f1": 2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4),
    "auc": (5 + 4 + 2.5 + 3) / 20,  # rows of class 0 below each row of class 1; row 5 ties with row 6
    "expected_calibration_error": (abs(2 - 1.8) + abs(1 - 1.66) + abs(1 - 0.7) + abs(1 - 1.86) + abs(1 - 0.56)) / 9,
    "classwise_calibration_error": (0.1 + 0.83 + 0.3 + 0.17 + 0.62 + abs(0.76 - 1) + 0.1 + 0.44) / 9,
    # Each bin holds 0.6 rows; less is left where errors of both signs share a bin, at 2, 5, 7 and 8 of the sorted rows.
    "adaptive_calibration_error": (2.8 - 2 * 0.2 * 0.17 - 2 * 0.2 * 0.44 - 2 * 0.4 * 0.3 - 2 * 0.4 * 0.1) / 9,
    "brier_score": 2 * (0.01 + 0.6889 + 0.09 + 0.0289 + 2 * 0.3844 + 0.1444 + 0.01 + 0.1936) / 9,
    "aurc": kept(2 / 9, 4 / 9) / 2 + kept(5 / 9, 8 / 9) * 2 / 3,  # 1 of 2 wrong at 0.83, 2 of 3 at 0.62
    "demographic_parity_difference": 3 / 4 - 2 / 5,
    "equalized_odds_difference": max(1 - 1 / 2, 1 / 2 - 1 / 3),
    "group_accuracy_gap": 3 / 4 - 3 / 5,
    "group_prob_gap": 2.6 / 4 - 2.04 / 5,
    "equal_opportunity_difference": 1 - 1 / 2,
    "group_calibration_gap": (2.6 - 2) / 4 - (2.04 - 2) / 5,
    "group_loss_gap": 3.2 / 5 - 0.9 / 4,
    "flip_rate": 2.75 / 9,
    "swapped_accuracy": 5.5 / 9,
    "attribution_overlap": 2.8 / 8,
    "flip_effect": (0.5 + 0.2 + 0.2) / 9,
    "mean_deletion_auc": 3.6 / 9,
    "mean_insertion_auc": 5.5 / 9,
    "mean_sparseness": 4 / 8,
    "pointing_game_accuracy": 3.75 / 7,
    "mean_relevance_mass": 3.6 / 6,
    "mean_relevance_rank": 4 / 6,
}
RANGES = {
    **{name: (0, math.inf) for name in METRICS if name.endswith(("_error", "_deviance", "_loss", "mean_gap"))},
    **dict.fromkeys(("r2", "deviance_explained", "gini"), (-math.inf, 1)),
    **dict.fromkeys(("spearman", "quadratic_kappa"), (-1, 1)),
    **dict.fromkeys(("expected_calibration_error", "classwise_calibration_error"), (0, 1)),
    "adaptive_calibration_error": (0, 1),
    "brier_score": (0, 2),
    "quantile_calibration_error": (0, 1),
}
QUALITIES = ("deletion", "insertion", "sparseness", "pointing", "relevance_mass", "relevance_rank")


def measured(name, observations):
    """The metric's value; about class 1 or group 1 where it is about one of them."""
    metric = METRICS[name]
    metric = partial(metric, **dict.fromkeys(settings_of(metric).keys() & PARTS, 1))
    return metric(**{need: observations[need] for need in observations_for([metric])})


def table_of(name):
    """The worked table that the metric is about."""
    return AMOUNTS if name in WORKED_AMOUNTS else SEVERAL if name in WORKED_SEVERAL else TABLE


def drawn(name, seed, num_rows=60, num_classes=3):
    """Observations that the metric may be about."""
    draw = drawn_amounts if name in WORKED_AMOUNTS else drawn_labels if name in WORKED_SEVERAL else drawn_classes
    return draw(seed, num_rows, num_classes)


def drawn_amounts(seed, num_rows, num_classes):
    rng = torch.Generator().manual_seed(seed)
    predicted, y, exposure, sd = torch.rand(4, num_rows, generator=rng, dtype=torch.float64)
    return {
        "predicted": 0.1 + predicted,
        "y": (0.1 + y).round(decimals=1),
        "exposure": 0.5 + exposure,
        "sd": sd,
        "quantiles": torch.rand(num_rows, num_classes, generator=rng).sort(dim=1).values,
        "levels": torch.linspace(0.1, 0.9, num_classes).repeat(num_rows, 1),
        "query": torch.randint(4, (num_rows,), generator=rng),
        "group": torch.randint(2, (num_rows,), generator=rng),
    }


def drawn_labels(seed, num_rows, num_classes):
    rng = torch.Generator().manual_seed(seed)
    probs = torch.rand(num_rows, num_classes, generator=rng, dtype=torch.float64)
    present = torch.randint(2, probs.shape, generator=rng).float()
    return {"probs": probs, "predicted": (probs > 0.5).long(), "y": present}


def drawn_classes(seed, num_rows, num_classes):
    rng = torch.Generator().manual_seed(seed)
    probs, reflected = torch.rand(2, num_rows, num_classes, generator=rng, dtype=torch.float64)
    return {
        "probs": probs / probs.sum(1, keepdim=True),
        "predicted": probs.argmax(1),
        "y": torch.randint(num_classes, (num_rows,), generator=rng),
        "group": torch.randint(2, (num_rows,), generator=rng),
        "flipped": torch.rand(num_rows, generator=rng),
        "swapped_hits": torch.rand(num_rows, generator=rng),
        "attribution_share": torch.rand(num_rows, generator=rng),
        "reflected_probs": reflected / reflected.sum(1, keepdim=True),
        **{name: torch.rand(num_rows, generator=rng) for name in (*QUALITIES, "loss", "shift", "swapped_loss")},
    }


def reordered(observations, index):
    return {name: value[index] for name, value in observations.items()}


def test_every_metric_is_worked_out_by_hand():
    assert WORKED.keys() == METRICS.keys()


@pytest.mark.parametrize("name", METRICS)
def test_matches_the_hand_worked_table(name):
    assert measured(name, table_of(name)).item() == pytest.approx(WORKED[name], abs=1e-7)


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("name", METRICS)
def test_is_one_number_in_its_range(name, num_classes):
    for seed in range(5):
        value = measured(name, drawn(name, seed, num_classes=num_classes))
        assert value.shape == ()
        least, most = RANGES.get(name, (0, 1))
        assert least <= value <= most


@pytest.mark.parametrize("name", METRICS)
def test_ignores_the_order_of_rows(name):
    observations = drawn(name, 0)
    index = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(measured(name, reordered(observations, index)), measured(name, observations))


@pytest.mark.parametrize("name", METRICS)
def test_repeating_every_row_changes_nothing(name):
    observations = drawn(name, 0)
    twice = reordered(observations, torch.arange(60).repeat_interleave(2))
    assert torch.allclose(measured(name, twice), measured(name, observations))


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("name", METRICS)
def test_is_undefined_without_rows(name, num_classes):
    assert measured(name, drawn(name, 0, num_rows=0, num_classes=num_classes)).isnan()


@pytest.mark.parametrize("name", METRICS)
def test_leaves_the_observations_as_they_were(name):
    observations, untouched = drawn(name, 0), drawn(name, 0)
    measured(name, observations)
    assert all(torch.equal(observations[key], untouched[key]) for key in observations)
