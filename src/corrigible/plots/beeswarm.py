"""Beeswarm: one point per row and feature, placed by attribution and coloured by the feature's value."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from torch import Tensor

from corrigible.errors import DataError
from corrigible.plots.features import (
    FeatureNames,
    FeatureValues,
    columns_named,
    in_order,
    numbers_in,
    require_finite,
    rows_in,
    signed_by_feature,
    values_of,
)
from corrigible.plots.style import (
    FAINT,
    INK,
    VALUES,
    WIDTH,
    colour_bar,
    colour_of,
    describe,
    label_axes,
    limits_around,
    name_rows,
    new_figure,
    quiet,
    row_height,
    shortened,
    text_style,
)
from corrigible.printable import plural

NUM_BINS = 120
"""Over the whole width; where more points fall into a bin, the swarm is thicker."""
HALF_ROW = 0.4
MOST_COLOURED = 4
"""Categories of a feature that are told apart by colour; features with more are grey."""
LINES_OF_A_KEY = 2
"""As many as a row is high; further categories stand beside the first ones."""
COLOUR_QUANTILES = (0.05, 0.95)
"""The colours of low and high values; what lies beyond has the end's colour."""


def beeswarm(
    attribution: Any,
    x: Any,
    columns: FeatureNames = None,
    *,
    max_features: int = 15,
    order: Sequence[str] = (),
    title: str = "",
    label: str = "attribution, in units of the explained score",
) -> Figure:
    """Every row's attribution to each feature, the feature with the largest mean absolute attribution on top.

    A feature's columns are summed. Numbers are coloured from low to high; the few categories of a feature, or the 0 and
    1 of a yes or no, have a colour each, many are grey. The same attributions always give the same points.

    Args:
        attribution: (row, column), a tensor, array, list or frame; or several of the same rows by name, such as those
            of a model before and after correction, which stand side by side on one scale.
        x: the rows that were explained, in the same shape. A frame may hold words, each of them a category; with the
            table's encoder as ``columns`` it is encoded first.
        columns: which columns make up which feature: `Columns`, the table's encoder, or one name per column.
        order: features that stand on top, in this order.
        label: of the axis.

    Raises:
        DataError: an x of another shape, names for another number of columns, no rows, or values that are not finite.
    """
    given = attribution if isinstance(attribution, Mapping) else {"": attribution}
    panels = {name: numbers_in(found, f"the attribution {name}".rstrip()) for name, found in given.items()}
    named_by, (x, words) = x, rows_in(x, columns)
    _check(panels, x)
    named = columns_named(columns, x.shape[1], named_by, *given.values())
    signed = {name: signed_by_feature(found, named) for name, found in panels.items()}
    sizes = np.max([np.abs(values).mean(axis=0) for values in signed.values()], axis=0)
    shown = in_order(named, order, sizes, max_features)
    names = [named.features[place] for place in shown]
    held = [words[name] if name in words else values_of(x, named, name) for name in names]
    ends = np.array([(values[:, shown].min(), values[:, shown].max()) for values in signed.values()])
    span = float(ends.max() - ends.min()) or 1.0
    figure = new_figure(
        0.9 + (row_height(names) + 0.04) * len(shown) + 0.2 * (len(panels) > 1),
        width=WIDTH if len(panels) == 1 else 1.2 + 4.5 * len(panels),
        title=title,
    )
    all_axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (panel, values) in zip(all_axes, signed.items(), strict=True):
        _draw_panel(quiet(axes, grid="x"), values[:, shown], held, span)
        axes.set_title(shortened(panel, longest=50), loc="left", **text_style(color=INK, fontweight="bold"))
        label_axes(axes, x=label)
    all_axes[0].set_xlim(*limits_around(min(float(ends.min()), 0.0), max(float(ends.max()), 0.0)))
    name_rows(all_axes[0], names)
    for level, in_rows in enumerate(held):
        _name_categories(all_axes[-1], in_rows, level)
    if any(in_rows.number is not None for in_rows in held):
        _colour_legend(figure, all_axes)
    return describe(figure, f"{title or 'Beeswarm'}: {plural(len(x), 'row')}; strongest first: {', '.join(names)}")


def _check(panels: Mapping[str, Tensor], x: Tensor) -> None:
    if not panels:
        raise DataError("no attributions by name; expected at least one")
    for name, attribution in panels.items():
        said = f"the attribution {name}".rstrip()
        if x.shape != attribution.shape or not len(x):
            expected = f"that of {said}, {tuple(attribution.shape)}, with at least one row"
            raise DataError(f"x has shape {tuple(x.shape)}; expected {expected}")
        require_finite(attribution, said)


def _draw_panel(axes: Axes, signed: np.ndarray, held: Sequence[FeatureValues], span: float) -> None:
    for level, values in enumerate(held):
        _draw_points(axes, signed[:, level], level + swarm(signed[:, level], width=span), _colours(values))
    axes.axvline(0, color=FAINT, linewidth=1.0, zorder=0.5)
    axes.tick_params(axis="y", length=0)


def swarm(values: Float[np.ndarray, " row"], *, width: float) -> Float[np.ndarray, " row"]:
    """How far up or down each point is moved, at most 0.4, so that points that lie close together spread.

    The thickness follows the number of points nearby; within it the points are spread evenly, in the same way always.
    """
    bins = np.floor((values - values.min()) / width * (NUM_BINS - 1)).astype(int)
    counts = np.bincount(bins, minlength=NUM_BINS).astype(float)
    smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same")
    # A swarm of a few points is no thicker than they need.
    thickness = HALF_ROW * smooth[bins] / max(smooth.max(), 8.0)
    rank = np.empty(len(values), dtype=int)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    # Multiples of the golden ratio, modulo 1, fill the interval evenly from any rank to any later one.
    spread: Float[np.ndarray, " row"] = thickness * (2 * ((0.5 + rank * 0.6180339887498949) % 1) - 1)
    return spread


def _draw_points(axes: Axes, across: np.ndarray, up: np.ndarray, colours: Any) -> None:
    size = float(np.clip(3000 / len(across), 3.0, 16.0))
    axes.scatter(
        across, up, s=size, color=colours, alpha=0.85, linewidths=0, rasterized=len(across) > 50, clip_on=False
    )


def _colours(values: FeatureValues) -> Any:
    """One colour per row, grey where there is none to give."""
    if values.number is None:
        assert values.category is not None
        given = [to_rgba(colour_of(place)) for place in range(len(values.categories))] + [to_rgba(FAINT)]
        # A row without a category has number -1: the last colour.
        return np.array(given)[values.category] if len(values.categories) <= MOST_COLOURED else to_rgba(FAINT)
    known = values.number[np.isfinite(values.number)]
    if not len(known):
        return to_rgba(FAINT)
    low, high = np.quantile(known, COLOUR_QUANTILES)
    if low == high:  # Nearly all the same: the few others still show.
        low, high = known.min(), known.max()
    share = (values.number - low) / (high - low) if low < high else np.where(np.isfinite(values.number), 0.5, np.nan)
    return VALUES.with_extremes(bad=FAINT)(np.ma.masked_invalid(share))


def _name_categories(axes: Axes, values: FeatureValues, level: int) -> None:
    """At the right of a category's row and no higher than it, what its colours mean: two lines at most."""
    if values.number is not None:
        return
    style = text_style(va="center", ha="left", clip_on=False)
    beside, count = axes.get_yaxis_transform(), len(values.categories)
    if count > MOST_COLOURED:
        axes.text(1.02, level, f"{count} categories (grey)", transform=beside, **style)
        return
    longest = 16 if count <= LINES_OF_A_KEY else 12
    keys = [(shortened(name, longest=longest), colour_of(place)) for place, name in enumerate(values.categories)]
    heights = [level + (line - (min(count, LINES_OF_A_KEY) - 1) / 2) * 0.4 for line in range(LINES_OF_A_KEY)]
    first = [
        axes.text(1.02, height, name, transform=beside, **(style | {"color": colour}))
        for height, (name, colour) in zip(heights, keys, strict=False)
    ]
    if count > LINES_OF_A_KEY:
        widest = max(first, key=lambda text: len(text.get_text()))
        for height, (name, colour) in zip(heights, keys[LINES_OF_A_KEY:], strict=False):
            placed: dict[str, Any] = {"xycoords": (widest, "data"), "xytext": (10, 0), "textcoords": "offset points"}
            axes.annotate(name, (1, height), annotation_clip=False, **placed, **(style | {"color": colour}))


def _colour_legend(figure: Figure, axes: Any) -> None:
    scale = ScalarMappable(Normalize(0, 1), VALUES)
    place: dict[str, Any] = {
        "location": "bottom",
        "shrink": 0.5,
        "aspect": 30,
        "fraction": 0.06,
        "pad": 0.02,
        "ticks": [0, 1],
    }
    bar = colour_bar(figure, scale, ax=axes, label="value of the feature", **place)
    bar.set_ticklabels(["low", "high"])
    bar.ax.tick_params(length=0)
