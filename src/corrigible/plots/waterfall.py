"""Waterfall: from the baseline's score, feature by feature, to the score of one row."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from corrigible.errors import DataError
from corrigible.figures import number_beside, signed
from corrigible.plots.features import (
    FeatureNames,
    columns_named,
    in_order,
    numbers_in,
    signed_by_feature,
    with_value,
)
from corrigible.plots.style import (
    FAINT,
    INK,
    MUTED,
    NEGATIVE,
    POSITIVE,
    SIGNS,
    WIDTH,
    describe,
    key_below,
    label_axes,
    limits_around,
    name_rows,
    new_figure,
    quiet,
    row_height,
    shortened,
    text_style,
)
from corrigible.types import Columns

TOLERANCE = 0.01
"""What the attributions leave unexplained is drawn from this share of the distance between baseline and score on."""
BASELINE = "baseline: all absent"
ROOM = 0.13
"""Beside the bars for their numbers, as a share of their span."""


class _Panel(NamedTuple):
    """One model's way from the baseline to the score."""

    sizes: list[float]
    """What each row of the figure adds, in its order."""
    baseline: float
    score: float

    @property
    def largest(self) -> float:
        """The size of the largest number that is written."""
        return max(map(abs, (*self.sizes, self.baseline, self.score)))

    @property
    def ends(self) -> np.ndarray:
        return self.baseline + np.cumsum([0.0, *self.sizes])


def waterfall(
    attribution: Any,
    columns: FeatureNames = None,
    *,
    baseline: float | Mapping[str, float] | None = None,
    score: float | Mapping[str, float] | None = None,
    x: Any = None,
    max_features: int = 10,
    order: Sequence[str] = (),
    title: str = "",
    label: str = "score of what is explained",
) -> Figure:
    """One row's attributions, added up from the baseline's score: red bars raise the score, blue ones lower it.

    What lies between their sum and the row's score is a bar of its own, "not explained": there is none for a complete
    explainer. The weakest features are joined in one bar.

    Args:
        attribution: (column,), a tensor, array or list; or several of the same row by name, such as those of a model
            before and after correction. They stand side by side, with the same features on one scale.
        columns: which columns make up which feature: `Columns`, the table's encoder, or one name per column.
        baseline: what the model gives for the explained class or value where every feature is absent: of the row that
            the explainer starts from, by default zeros, ``float(model(0 * row[None])[0, target])``, or the mean over
            its background. It is needed, like ``score``; by name, if there are several attributions.
        score: the same of the row itself, ``float(model(row[None])[0, target])``.
        x: the row, to write its values beside the names.
        order: features that stand on top, in this order; the others follow, the strongest first.

    Raises:
        DataError: no baseline or score, also for one of several attributions; names for another number of columns, an x
            of another shape, or values that are not finite.
    """
    given = attribution if isinstance(attribution, Mapping) else {"": attribution}
    found = {name: numbers_in(values, "the attribution") for name, values in given.items()}
    row = None if x is None else numbers_in(x, "x")
    ends = {name: (_of(baseline, name, "baseline"), _of(score, name, "score")) for name in found}
    _check(found, row, ends)
    named = columns_named(columns, len(next(iter(found.values()))))
    names, sizes, num_joined = _steps(found, named, row, max_features, order)
    is_joined = [False] * (len(names) - num_joined) + [True] * num_joined
    panels = {name: _Panel(steps, *ends[name]) for name, steps in sizes.items()}
    names, panels = _with_unexplained(names, panels)
    is_pale = num_joined > 0 or len(names) > len(is_joined)
    rows = [BASELINE, *names, "this row"]
    width = WIDTH if len(panels) == 1 else 1.6 + 3.9 * len(panels)
    figure = new_figure(0.95 + row_height(rows) * len(rows) + 0.2 * (len(panels) > 1), width=width, title=title)
    all_axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    reached = np.concatenate([[*panel.ends, panel.score] for panel in panels.values()])
    span = float(np.ptp(reached)) or 1.0
    for axes, (name, panel) in zip(all_axes, panels.items(), strict=True):
        _draw(quiet(axes, grid="x"), panel, span, is_joined)
        axes.set_title(shortened(name, longest=44), loc="left", **text_style(color=INK, fontweight="bold"))
        label_axes(axes, x=label)
    all_axes[0].xaxis.set_major_locator(MaxNLocator(5))
    all_axes[0].set_xlim(*limits_around(reached.min() - ROOM * span, reached.max() + ROOM * span))
    name_rows(all_axes[0], rows)
    key_below(figure, SIGNS + (" · pale: several features, or what they leave open" if is_pale else ""))
    said = "; ".join(f"{name}{': ' * bool(name)}{_told(panel, names, label)}" for name, panel in panels.items())
    return describe(figure, f"{title or 'Waterfall'}: {said}")


def _of(value: float | Mapping[str, float] | None, name: str, what: str) -> float:
    if value is None:
        of = (
            "where every feature is absent, such as float(model(0 * row[None])"
            if what == "baseline"
            else ("for this row, such as float(model(row[None])")
        )
        raise DataError(f"no {what}; expected what the model gives {of}[0, target])")
    if not isinstance(value, Mapping):
        return float(value)
    if name not in value:
        known = ", ".join(map(str, value)) or "none"
        raise DataError(f"no {what} of {name!r}; there are those of {known}: give one for each attribution")
    return float(value[name])


def _check(found: Mapping[str, Tensor], x: Tensor | None, ends: Mapping[str, tuple[float, float]]) -> None:
    if not found:
        raise DataError("no attributions by name; expected at least one")
    for name, attribution in found.items():
        said = f"the attribution {name}".rstrip()
        if attribution.ndim != 1:
            raise DataError(f"{said} has shape {tuple(attribution.shape)}; expected (column,): give one row")
        first = next(iter(found.values()))
        if len(attribution) != len(first):
            raise DataError(f"{said} has {len(attribution)} columns; expected {len(first)}, as the first one has")
        if x is not None and x.shape != attribution.shape:
            raise DataError(f"x has shape {tuple(x.shape)}; expected {tuple(attribution.shape)}: one row")
        if not np.isfinite(ends[name]).all():
            raise DataError(f"the scores are {ends[name][0]} and {ends[name][1]}; expected finite numbers")
        if not bool(attribution.isfinite().all()):
            raise DataError(f"{said} holds NaN or infinite values; expected finite numbers: explain another row")


def _steps(
    found: Mapping[str, Tensor], columns: Columns, x: Tensor | None, max_features: int, order: Sequence[str]
) -> tuple[list[str], dict[str, list[float]], int]:
    """The names of the bars, for each model their sizes, and how many at the end join several features: 0 or 1."""
    by_name = {name: signed_by_feature(values[None], columns)[0] for name, values in found.items()}
    sizes = np.max([np.abs(of_model) for of_model in by_name.values()], axis=0)
    num_shown = max_features + (len(sizes) == max_features + 1)  # One left had better be named.
    shown = in_order(columns, order, sizes, num_shown)
    names = [with_value(columns, columns.features[place], x) for place in shown]
    steps = {name: of_model[shown].tolist() for name, of_model in by_name.items()}
    num_others = len(sizes) - len(shown)
    if num_others:
        names.append(f"{num_others} other features")
        for name, of_model in by_name.items():
            steps[name].append(float(of_model.sum() - of_model[shown].sum()))
    return names, steps, int(num_others > 0)


def _with_unexplained(names: list[str], panels: dict[str, _Panel]) -> tuple[list[str], dict[str, _Panel]]:
    """A last bar for what the attributions leave open, where that is more than rounding in any model."""
    missing = {name: panel.score - float(panel.ends[-1]) for name, panel in panels.items()}
    least = {
        name: max(TOLERANCE * abs(panel.score - panel.baseline), 1e-6 * panel.largest) for name, panel in panels.items()
    }
    if all(abs(missing[name]) <= least[name] for name in panels):
        return names, panels
    wider = {name: panel._replace(sizes=[*panel.sizes, missing[name]]) for name, panel in panels.items()}
    return [*names, "not explained"], wider


def _draw(axes: Axes, panel: _Panel, span: float, is_joined: Sequence[bool]) -> None:
    ends = panel.ends
    for level, (size, start, end) in enumerate(zip(panel.sizes, ends, ends[1:], strict=False), start=1):
        colour = POSITIVE if size >= 0 else NEGATIVE
        is_faint = level > len(is_joined) or is_joined[level - 1]
        axes.barh(level, size, left=start, height=0.62, color=colour, alpha=0.45 if is_faint else 1.0)
        axes.plot([end, end], [level - 0.31, level + 1.31], color=FAINT, linewidth=0.8)
        style = text_style(color=INK, va="center", ha="left" if size >= 0 else "right")
        axes.text(end + span * (0.012 if size >= 0 else -0.012), level, signed(size, panel.largest), **style)
    axes.plot([ends[0], ends[0]], [-0.31, 1.31], color=FAINT, linewidth=0.8)
    for level, value in ((0, panel.baseline), (len(panel.sizes) + 1, panel.score)):
        axes.plot([value], [level], marker="D", markersize=5, color=MUTED if level == 0 else INK, linestyle="none")
        axes.text(
            value + span * 0.025, level, number_beside(value, panel.largest), **text_style(color=INK, va="center")
        )


def _told(panel: _Panel, names: Sequence[str], label: str) -> str:
    steps = "; ".join(f"{name} {signed(size, panel.largest)}" for name, size in zip(names, panel.sizes, strict=True))
    ends = [number_beside(value, panel.largest) for value in (panel.baseline, panel.score)]
    return f"baseline {ends[0]}; {steps}; {label} {ends[1]}"
