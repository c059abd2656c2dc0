"""Measurements of several models side by side, formatted for display."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from corrigible.figures import dot_and_whisker, number, scale_of, short_number
from corrigible.types import Measurement

IN_UNIT = ("mean_absolute_error", "root_mean_squared_error", "mean_pinball_loss", "group_mean_gap")
"""Metrics in the unit of the labels."""


GAPS = (
    *("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"),
    *("group_accuracy_gap", "group_prob_gap", "group_calibration_gap", "group_loss_gap"),
    *("group_mean_gap", "group_balance_gap"),
)
"""Differences between groups."""
LOWER_IS_BETTER = frozenset(
    (
        *("expected_calibration_error", "classwise_calibration_error", "adaptive_calibration_error", "brier_score"),
        *("aurc", "quantile_calibration_error", "mean_loss", "mean_swapped_loss"),
        *(*GAPS, "flip_rate", "flip_effect", "mean_shift", "attribution_overlap", "mean_deletion_auc"),
        *("mean_absolute_error", "root_mean_squared_error", "mean_pinball_loss"),
        *("mean_poisson_deviance", "mean_gamma_deviance", "mean_tweedie_deviance"),
    )
)
NEITHER_IS_BETTER = frozenset(("interval_coverage", "mean_sparseness"))
"""Metrics that are best at some value between."""
HIGHER_IS_BETTER = frozenset(
    (
        *("accuracy", "class_accuracy", "group_accuracy", "worst_class_accuracy", "macro_group_accuracy"),
        *("worst_group_accuracy", "precision", "recall", "f1", "auc", "swapped_accuracy", "quadratic_kappa"),
        *("label_accuracy", "exact_match", "macro_f1", "macro_auc", "r2", "deviance_explained", "spearman"),
        *("pair_accuracy", "gini", "mean_insertion_auc", "pointing_game_accuracy", "mean_relevance_mass"),
        "mean_relevance_rank",
    )
)
NAMES = {
    "auc": "AUC",
    "aurc": "AURC",
    "brier": "Brier",
    "f1": "F1",
    "tpr": "TPR",
    "fpr": "FPR",
    "1pct": "1 %",
    "0.1pct": "0.1 %",
    "r2": "R²",
    "gini": "Gini",
    "poisson": "Poisson",
    "gamma": "Gamma",
    "tweedie": "Tweedie",
    "spearman": "Spearman’s rank correlation",
}
"""Words of methods' names that are written with capitals."""


class Cell(NamedTuple):
    """A measurement of one model, as text; if it has no value, ``note`` says why."""

    value: str
    interval: str = ""
    figure: Markup = Markup("")
    note: str = ""
    is_opened: bool = False
    """Whether it is a difference between groups that a correction made larger."""


class ComparisonRow(NamedTuple):
    """One metric, for all rows or one part of them, with one cell per model."""

    metric: str
    part: str
    scale: str
    """The ends of the scale that the metric's figures share."""
    counts: str
    """The number of rows it was measured on."""
    note: str
    """The note that all models share."""
    cells: list[Cell]


def comparison(
    models: Sequence[Sequence[Measurement]], unit: str = "", *, opened: Collection[str] = ()
) -> list[ComparisonRow]:
    """One row per metric and part, in the order in which they first appear; a metric's parts stay together.

    Args:
        unit: of the labels, for errors.
        opened: differences between groups that are larger for the second model than for the first.
    """
    found: dict[str, dict[str, dict[int, Measurement]]] = {}
    for place, measurements in enumerate(models):
        for m in measurements:
            found.setdefault(m.metric, {}).setdefault(m.part, {})[place] = m
    return [
        _marked(
            _row(by_model, len(models), unit, _scale([m for by_model in by_part.values() for m in by_model.values()])),
            metric in opened,
        )
        for metric, by_part in found.items()
        for by_model in by_part.values()
    ]


def _marked(row: ComparisonRow, is_opened: bool) -> ComparisonRow:
    """The row, with the second model's cell marked."""
    if not is_opened or row.part or len(row.cells) < 2:
        return row
    return row._replace(cells=[row.cells[0], row.cells[1]._replace(is_opened=True), *row.cells[2:]])


def is_improvement(change: Measurement) -> bool | None:
    """Whether a metric changed for the better; None where it did not clearly change, or no direction is better."""
    if change.low is None or change.high is None or change.low <= 0 <= change.high:
        return None
    if change.metric in HIGHER_IS_BETTER:
        return change.low > 0
    return change.high < 0 if change.metric in LOWER_IS_BETTER else None


def spoken(name: str) -> str:
    """A method's name as words: ``flip_rate`` becomes "flip rate", ``auc`` becomes "AUC"."""
    words = name.split("_")
    return " ".join(NAMES.get(word, word) for word in words)


def titled(metric: str, unit: str) -> str:
    """The metric's words, with the unit behind them where it has one."""
    return spoken(metric) + (f" ({unit})" if unit else "")


def unit_of(metric: str, unit: str) -> str:
    """The unit of the labels for a metric that is measured in it, otherwise empty."""
    return unit if metric in IN_UNIT else ""


def _row(by_model: Mapping[int, Measurement], num_models: int, unit: str, scale: tuple[float, float]) -> ComparisonRow:
    some = next(iter(by_model.values()))
    measured = [m for m in by_model.values() if _finite(m.value) is not None]
    notes = {m.note for m in measured}
    note = notes.pop() if len(notes) == 1 else ""
    counts = dict.fromkeys(f"{m.count:,}" for m in measured)
    cells = [_cell(by_model.get(place), scale, place, said=note) for place in range(num_models)]
    ends = f"{short_number(scale[0])} to {short_number(scale[1])}" if measured else ""
    name = titled(some.metric, unit_of(some.metric, unit))
    return ComparisonRow(name, some.part, ends, " / ".join(counts), note, cells)


def _cell(m: Measurement | None, scale: tuple[float, float], style: int, *, said: str) -> Cell:
    if m is None:
        return Cell("", note="not measured: nothing recorded for this model")
    value, low, high = _finite(m.value), _finite(m.low), _finite(m.high)
    if value is None:
        why = (m.note or _why_missing(m.value)).removeprefix("not measured: ")
        return Cell("", note=f"not measured: {why}")
    interval = "" if low is None or high is None else f"{number(low)} to {number(high)}"
    figure = dot_and_whisker(value, low, high, scale=scale, style=style)
    return Cell(number(value), interval, figure, "" if m.note == said else m.note)


def _scale(measurements: Sequence[Measurement]) -> tuple[float, float]:
    ends = [_finite(end) for m in measurements for end in (m.value, m.low, m.high)]
    return scale_of([end for end in ends if end is not None])


def _why_missing(value: float | None) -> str:
    if value is None:
        return "no value"
    return "the value is not a number" if math.isnan(value) else "the value is infinite"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
