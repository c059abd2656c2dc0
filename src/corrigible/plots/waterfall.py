"""Waterfall: from the baseline's score, feature by feature, to the score of one row."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from corrigible.errors import DataError
from corrigible.figures import number, short_number
from corrigible.plots.features import (
    FeatureNames,
    columns_named,
    require_finite,
    signed_by_feature,
    strongest,
    values_of,
)
from corrigible.plots.style import (
    FAINT,
    INK,
    MUTED,
    NEGATIVE,
    POSITIVE,
    describe,
    label_axes,
    name_rows,
    new_figure,
    quiet,
    row_height,
    text_style,
)
from corrigible.types import Columns

TOLERANCE = 0.01
"""What the attributions leave unexplained is drawn from this share of the distance between baseline and score on."""


class _Step(NamedTuple):
    name: str
    size: float
    is_feature: bool = True


def waterfall(
    attribution: Float[Tensor, " column"],
    columns: FeatureNames,
    *,
    baseline: float,
    score: float,
    x: Float[Tensor, " column"] | None = None,
    max_features: int = 10,
    title: str = "",
    label: str = "score",
) -> Figure:
    """One row's attributions, added up from the baseline's score; the strongest feature first.

    What lies between their sum and the row's score is a bar of its own: zero for a complete explainer. The weakest
    features are joined in one bar.

    Args:
        columns: which columns make up which feature, or one name per column.
        baseline: the score where every feature is absent. ``score`` is that of the row.
        x: the row, to write its values beside the names.

    Raises:
        DataError: names for another number of columns, an x of another shape, or values that are not finite.
    """
    if x is not None and x.shape != attribution.shape:
        raise DataError(f"x has shape {tuple(x.shape)}; expected {tuple(attribution.shape)}: one row")
    if not np.isfinite([baseline, score]).all():
        raise DataError(f"the scores are {baseline} and {score}; expected finite numbers")
    require_finite(attribution[None], "the attribution")
    named = columns_named(columns, len(attribution))
    steps = _steps(attribution, named, x, max_features)
    missing = score - baseline - sum(step.size for step in steps)
    if abs(missing) > TOLERANCE * max(abs(score - baseline), 1e-12):
        steps.append(_Step("not explained", missing, is_feature=False))
    names = ["baseline", *(step.name for step in steps), label]
    figure = new_figure(0.75 + row_height(names) * len(names), title=title)
    axes = quiet(figure.subplots(), grid="x")
    _draw(axes, steps, baseline, score)
    name_rows(axes, names)
    label_axes(axes, x=label)
    told = "; ".join(f"{step.name} {_signed(step.size)}" for step in steps)
    return describe(figure, f"{title or 'Waterfall'}: baseline {number(baseline)}; {told}; {label} {number(score)}")


def _steps(attribution: Tensor, columns: Columns, x: Tensor | None, max_features: int) -> list[_Step]:
    signed = signed_by_feature(attribution[None], columns)[0]
    shown = strongest(np.abs(signed), max_features)
    if len(signed) == len(shown) + 1:  # One bar for one feature had better be named.
        shown = strongest(np.abs(signed), max_features + 1)
    steps = [_Step(_with_value(columns, columns.features[place], x), float(signed[place])) for place in shown]
    num_others = len(signed) - len(shown)
    if num_others:
        others = float(signed.sum() - signed[shown].sum())
        steps.append(_Step(f"{num_others} other features", others, is_feature=False))
    return steps


def _with_value(columns: Columns, feature: str, x: Tensor | None) -> str:
    if x is None:
        return feature
    values = values_of(x[None], columns, feature)
    if values.number is not None:
        held = float(values.number[0])
        return f"{feature} = {short_number(float(f'{held:.3g}')) if np.isfinite(held) else 'missing'}"
    assert values.category is not None
    place = int(values.category[0])
    return f"{feature} = {values.categories[place] if place >= 0 else 'none'}"


def _draw(axes: Axes, steps: Sequence[_Step], baseline: float, score: float) -> None:
    ends = baseline + np.cumsum([0.0, *(step.size for step in steps)])
    span = float(np.ptp([*ends, score])) or 1.0
    for level, (step, start, end) in enumerate(zip(steps, ends, ends[1:], strict=False), start=1):
        colour = POSITIVE if step.size >= 0 else NEGATIVE
        axes.barh(level, step.size, left=start, height=0.62, color=colour, alpha=1.0 if step.is_feature else 0.45)
        axes.plot([end, end], [level - 0.31, level + 1.31], color=FAINT, linewidth=0.8)
        is_right = step.size >= 0
        style = text_style(color=INK, va="center", ha="left" if is_right else "right")
        axes.text(end + span * (0.012 if is_right else -0.012), level, _signed(step.size), **style)
    axes.plot([ends[0], ends[0]], [-0.31, 1.31], color=FAINT, linewidth=0.8)
    for level, value in ((0, baseline), (len(steps) + 1, score)):
        axes.plot([value], [level], marker="D", markersize=5, color=MUTED if level == 0 else INK, linestyle="none")
        axes.text(value + span * 0.025, level, number(value), **text_style(color=INK, va="center"))
    axes.set_xlim(min(*ends, score) - 0.16 * span, max(*ends, score) + 0.16 * span)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)
