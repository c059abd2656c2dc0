"""Mean absolute attribution per feature, side by side for models, classes or groups."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corrigible.errors import DataError
from corrigible.explanations.features import by_feature, separate_columns
from corrigible.explanations.summaries.mean_attribution import MeanAttribution, Part
from corrigible.intervals import half_width
from corrigible.plots.features import FeatureNames, columns_named, in_order, numbers_in, require_finite
from corrigible.plots.style import (
    ABOVE,
    INK,
    add_legend,
    colour_of,
    describe,
    key_below,
    label_axes,
    limits_around,
    name_rows,
    new_figure,
    quiet,
    row_height,
)

MOST_SERIES = 5
Attributions = Any
"""(row, column), a tensor, array, list or frame: those of one model; or by name: of several models, or of the rows of
each class or group."""


class _Bars(NamedTuple):
    """One value per feature, with half the width of its 95 % interval where that is known."""

    value: np.ndarray
    half: np.ndarray | None


def mean_bars(
    found: Attributions | MeanAttribution,
    columns: FeatureNames = None,
    *,
    max_features: int = 15,
    order: Sequence[str] = (),
    title: str = "",
    label: str = "mean absolute attribution, in units of the explained score",
) -> Figure:
    """How much each feature counts, whatever its sign: absolute attributions, summed over a feature's columns.

    Whiskers are Student's 95 % intervals of the mean over rows; where the means alone are given, as
    by `mean_attribution`, there are none, and the bars are all rows and each class or group. Features in ``order`` come
    first, all others by their largest bar.

    Args:
        columns: which columns make up which feature, or one name per column; not needed for a `MeanAttribution`.

    Raises:
        DataError: nothing to draw, more than five bars per feature, names for another number of columns, or values that
            are not finite.
    """
    names, series = _from_means(found) if isinstance(found, MeanAttribution) else _from_rows(found, columns)
    if not 1 <= len(series) <= MOST_SERIES:
        raise DataError(f"{len(series)} bars per feature; expected 1 to {MOST_SERIES}: choose fewer models or classes")
    sizes = np.max([bars.value for bars in series.values()], axis=0)
    places = in_order(separate_columns(names), order, sizes, max_features)
    shown = [names[place] for place in places]
    num_left_out = len(names) - len(places)
    thickness = max(row_height(shown), 0.15 * len(series) + 0.12)
    figure = new_figure(1.05 + thickness * len(places) + 0.2 * len(series), title=title)
    axes = quiet(figure.subplots(), grid="x")
    _draw(axes, list(series.values()), places)
    name_rows(axes, shown)
    axes.set_xlim(0, limits_around(0.0, max(axes.dataLim.x1, 0.0))[1])
    label_axes(axes, x=label + (f" ({num_left_out} smaller features not shown)" if num_left_out else ""))
    if any(bars.half is not None for bars in series.values()):
        key_below(figure, "lines: 95 % intervals over rows")
    if len(series) > 1:
        across = len(series) if sum(map(len, series)) + 6 * len(series) < 66 else 1
        add_legend(axes, axes.containers[: len(series)], list(series), **ABOVE, ncols=across)
    means = "; ".join(
        f"{name} {', '.join(f'{bars.value[place]:.3g}' for bars in series.values())}"
        for name, place in zip(shown, places, strict=True)
    )
    of_series = f" of {', '.join(series)}" if len(series) > 1 else ""
    return describe(figure, f"{title or 'Mean absolute attribution'}{of_series}: {means}")


def _draw(axes: Axes, series: list[_Bars], order: list[int]) -> None:
    height = 0.76 / len(series)
    for place, bars in enumerate(series):
        levels = np.arange(len(order)) + (place - (len(series) - 1) / 2) * height
        axes.barh(levels, bars.value[order], height=0.92 * height, color=colour_of(place))
    for place, bars in enumerate(series):
        if bars.half is not None:
            levels = np.arange(len(order)) + (place - (len(series) - 1) / 2) * height
            ends = np.stack([bars.value - bars.half, bars.value + bars.half])[:, order]
            axes.hlines(levels, np.maximum(ends[0], 0), ends[1], color=INK, linewidth=0.9)


def _from_rows(found: Attributions, columns: FeatureNames) -> tuple[tuple[str, ...], dict[str, _Bars]]:
    attributions = found if isinstance(found, Mapping) else {"": found}
    series: dict[str, _Bars] = {}
    names: tuple[str, ...] = ()
    for name, given in attributions.items():
        said = f"the attribution {name}".rstrip()
        attribution = numbers_in(given, said)
        if attribution.ndim != 2 or not len(attribution):
            raise DataError(
                f"{said} has shape {tuple(attribution.shape)}; expected (row, column) with at least one row"
            )
        require_finite(attribution, said)
        named = columns_named(columns, attribution.shape[1], given)
        names = named.features
        sizes = by_feature(attribution.double(), named).numpy()
        series[name] = _Bars(sizes.mean(axis=0), half_width(sizes))
    return names, series


def _from_means(found: MeanAttribution) -> tuple[tuple[str, ...], dict[str, _Bars]]:
    """All rows and the parts that are about one class or group."""
    parts = [part for part in found.parts if len(part.where) <= 1]
    return found.features, {_said(part): _Bars(np.array(part.mean_absolute), None) for part in parts}


def _said(part: Part) -> str:
    return " ".join(f"{name} {value}" for name, value in part.where) or "all rows"
