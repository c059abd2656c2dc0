"""Metrics: each is a pure function whose arguments name the observations it needs.

Each family of metrics is about one kind of label. Observations are row-aligned; they are listed in
``corrigible.observations.OBSERVATIONS``. The result is one number; NaN where it is undefined on these rows.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from corrigible.metrics._labels import (
    AMOUNTS,
    ANY,
    LIKELIEST_CLASS,
    NUMBERS,
    ONE_CLASS,
    ORDER,
    ORDERED_CLASSES,
    PREDICTED_AMOUNTS,
    SEVERAL_LABELS,
    Labels,
)
from corrigible.metrics._usual import gaps_of as gaps_of
from corrigible.metrics._usual import usual_metrics as usual_metrics
from corrigible.metrics.accuracy import (
    accuracy,
    class_accuracy,
    exact_match,
    group_accuracy,
    label_accuracy,
    macro_group_accuracy,
    worst_class_accuracy,
    worst_group_accuracy,
)
from corrigible.metrics.agreement import quadratic_kappa
from corrigible.metrics.amounts import mean_absolute_error, r2, root_mean_squared_error
from corrigible.metrics.brier import brier_score
from corrigible.metrics.calibration import (
    adaptive_calibration_error,
    adaptive_interval_of,
    calibration_interval_of,
    classwise_calibration_error,
    classwise_interval_of,
    expected_calibration_error,
)
from corrigible.metrics.coverage import interval_coverage
from corrigible.metrics.deviances import (
    deviance_explained,
    mean_gamma_deviance,
    mean_poisson_deviance,
    mean_tweedie_deviance,
)
from corrigible.metrics.explanations import (
    mean_deletion_auc,
    mean_insertion_auc,
    mean_relevance_mass,
    mean_relevance_rank,
    mean_sparseness,
    pointing_game_accuracy,
)
from corrigible.metrics.fairness import (
    GROUPS_COMPARED,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    gap_interval_of,
    group_accuracy_gap,
    group_balance_gap,
    group_calibration_gap,
    group_loss_gap,
    group_mean_gap,
    group_prob_gap,
)
from corrigible.metrics.lorenz import gini
from corrigible.metrics.order import pair_accuracy, spearman
from corrigible.metrics.precision_recall import f1, macro_f1, precision, recall
from corrigible.metrics.quantiles import mean_pinball_loss, quantile_calibration_error
from corrigible.metrics.ranking import auc, macro_auc
from corrigible.metrics.reliance import (
    attribution_overlap,
    flip_effect,
    flip_rate,
    mean_loss,
    mean_shift,
    mean_swapped_loss,
    swapped_accuracy,
)
from corrigible.metrics.risk_coverage import aurc

OF_CLASSES = (
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
    classwise_calibration_error,
    adaptive_calibration_error,
    brier_score,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    group_accuracy_gap,
    group_prob_gap,
    group_calibration_gap,
    flip_rate,
    swapped_accuracy,
    flip_effect,
)
OF_AMOUNTS = (
    interval_coverage,
    mean_pinball_loss,
    quantile_calibration_error,
    mean_poisson_deviance,
    deviance_explained,
    mean_gamma_deviance,
    mean_tweedie_deviance,
    group_mean_gap,
    group_balance_gap,
)
OF_ANY_LABELS = (
    mean_loss,
    group_loss_gap,
    mean_shift,
    mean_swapped_loss,
    attribution_overlap,
    mean_deletion_auc,
    mean_insertion_auc,
    mean_sparseness,
    pointing_game_accuracy,
    mean_relevance_mass,
    mean_relevance_rank,
)
FAMILIES: tuple[tuple[Labels, tuple[Callable[..., Tensor], ...]], ...] = (
    (ONE_CLASS, OF_CLASSES),
    (LIKELIEST_CLASS, (expected_calibration_error, aurc)),
    (ORDERED_CLASSES, (quadratic_kappa,)),
    (SEVERAL_LABELS, (label_accuracy, exact_match, macro_f1, macro_auc)),
    (NUMBERS, (mean_absolute_error, root_mean_squared_error, r2)),
    (PREDICTED_AMOUNTS, OF_AMOUNTS),
    (ORDER, (spearman, pair_accuracy)),
    (AMOUNTS, (gini,)),
    (ANY, OF_ANY_LABELS),
)
METRICS: dict[str, Callable[..., Tensor]] = {f.__name__: f for _, metrics in FAMILIES for f in metrics}
LABELS = tuple((f, labels) for labels, metrics in FAMILIES for f in metrics)
"""Every metric with the labels it is about; a function that is not listed may be about any."""
OWN_INTERVALS: dict[Callable[..., Tensor], Callable[..., tuple[float, float] | None]] = {
    expected_calibration_error: calibration_interval_of,
    classwise_calibration_error: classwise_interval_of,
    adaptive_calibration_error: adaptive_interval_of,
    **{gap: partial(gap_interval_of, gap) for gap in GROUPS_COMPARED},
}
"""For metrics that are biased on few rows, more so on resamples: the interval, from the same observations."""
