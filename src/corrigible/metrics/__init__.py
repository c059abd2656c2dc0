"""Metrics: each is a pure function whose arguments name the observations it needs.

Observations are row-aligned; ``corrigible.observations.OBSERVATIONS`` lists them. The result is one number; NaN where
it is undefined on these rows.
"""

from collections.abc import Callable

from torch import Tensor

from corrigible.metrics.accuracy import (
    accuracy,
    class_accuracy,
    group_accuracy,
    macro_group_accuracy,
    worst_class_accuracy,
    worst_group_accuracy,
)
from corrigible.metrics.calibration import expected_calibration_error
from corrigible.metrics.explanations import (
    mean_deletion_auc,
    mean_insertion_auc,
    mean_relevance_mass,
    mean_relevance_rank,
    mean_sparseness,
    pointing_game_accuracy,
)
from corrigible.metrics.fairness import (
    demographic_parity_difference,
    equalized_odds_difference,
    group_accuracy_gap,
    group_prob_gap,
)
from corrigible.metrics.precision_recall import f1, precision, recall
from corrigible.metrics.ranking import auc
from corrigible.metrics.reliance import attribution_overlap, flip_effect, flip_rate, swapped_accuracy

METRICS: dict[str, Callable[..., Tensor]] = {
    f.__name__: f
    for f in (
        accuracy,
        class_accuracy,
        group_accuracy,
        worst_class_accuracy,
        macro_group_accuracy,
        worst_group_accuracy,
        precision,
        recall,
        f1,
        auc,
        expected_calibration_error,
        demographic_parity_difference,
        equalized_odds_difference,
        group_accuracy_gap,
        group_prob_gap,
        flip_rate,
        swapped_accuracy,
        attribution_overlap,
        flip_effect,
        mean_deletion_auc,
        mean_insertion_auc,
        mean_sparseness,
        pointing_game_accuracy,
        mean_relevance_mass,
        mean_relevance_rank,
    )
}
