"""Partial dependence: the mean score over the values of a feature, and the line of every row."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.summaries.partial_dependence import PartialDependence
from corrigible.figures import number, short_number
from corrigible.plots.features import numbers_in
from corrigible.plots.style import (
    FAINT,
    INK,
    MUTED,
    SMALL,
    WIDTH,
    colour_of,
    describe,
    label_axes,
    limits_of_scores,
    new_figure,
    quiet,
    shortened,
    text_style,
)

PANELS_ACROSS = 3
MOST_LINES = 60
"""Lines of single rows that are drawn, spread over all rows."""

Panels = Sequence[PartialDependence]


def partial_dependence(
    found: PartialDependence | Panels | Mapping[str, Panels],
    *,
    title: str = "",
    label: str = "score of the explained class",
) -> Figure:
    """The mean score over each feature's values, with the lines of single rows behind and the data's places below.

    All panels share the upright axis. Categories, and numbers with only two values, have a point per value; the bar
    behind it reaches from the 5th to the 95th percentile of the rows. The features of several models by name, such as
    before and after correction, stand side by side, one feature below the other.

    Raises:
        DataError: nothing to draw, other features in one model than in another, or scores that are not finite.
    """
    names = list(found) if isinstance(found, Mapping) else []
    panels = _in_order(found)
    if not panels:
        raise DataError("no partial dependence; expected at least one")
    across = len(names) or min(len(panels), PANELS_ACROSS)
    down = -(-len(panels) // across)
    figure = new_figure(2.6 * down + 0.4, width=max(0.62, across / 2.4) * WIDTH, title=title)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, panel in zip(grid.ravel(), panels, strict=False):
        categories, observed = panel.grid.categories, panel.grid.observed
        _draw_panel(quiet(axes, grid="y"), panel.grid.points, panel.lines, categories, observed)
        label_axes(axes, x=shortened(panel.grid.feature))
    drawn = torch.cat([panel.lines.detach().double().cpu().flatten() for panel in panels])
    have_points = [bool(_values_of(panel.grid.points, panel.grid.categories)) for panel in panels]
    _leave_room(grid[0, 0], drawn, all(have_points))
    _explain_colours(figure, have_points, True)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        label_axes(axes, x=axes.get_xlabel(), y=label)
    for axes, name in zip(grid[0], names, strict=False):
        axes.set_title(shortened(name, longest=34), loc="left", **text_style(color=INK, fontweight="bold"))
    said = [_told(panel.grid.feature, panel.grid.points, panel.mean, panel.grid.categories) for panel in panels]
    told = "; ".join(f"{name}{': ' * bool(name)}{text}" for name, text in zip(cycle(names or [""]), said, strict=False))
    return describe(figure, f"{title or 'Partial dependence'} of the {label}: {told}")


def _in_order(found: PartialDependence | Panels | Mapping[str, Panels]) -> list[PartialDependence]:
    """Row by row; of several models, the first feature of each of them, then the second."""
    if not isinstance(found, Mapping):
        return [found] if isinstance(found, PartialDependence) else list(found)
    features = {name: [panel.grid.feature for panel in panels] for name, panels in found.items()}
    expected = next(iter(features.values()), [])
    for name, shown in features.items():
        if shown != expected:
            raise DataError(f"{name} shows the features {shown}; expected those of the first model, {expected}")
    return [panel for of_feature in zip(*found.values(), strict=True) for panel in of_feature]


def dependence_lines(
    grid: Any,
    lines: Any,
    *,
    feature: str,
    categories: Sequence[str] = (),
    observed: Any = None,
    title: str = "",
    label: str = "score of the explained class",
) -> Figure:
    """The same for one feature from plain numbers: tensors, arrays or lists.

    Args:
        grid: the feature's values; for categories their numbers, from 0.
        lines: each row's score, were its feature set to each value: (row, point).
        observed: the values that the data hold.

    Raises:
        DataError: other numbers of points, lines or categories, or scores that are not finite.
    """
    grid, lines = numbers_in(grid, "grid"), numbers_in(lines, "lines").double()
    observed = None if observed is None else numbers_in(observed, "observed")
    if lines.shape[1:] != grid.shape or not len(lines) or (categories and len(categories) != len(grid)):
        found = f"{len(grid)} points, lines of shape {tuple(lines.shape)}, {len(categories)} categories"
        raise DataError(f"{found}; expected one score per row and point, and a name per point or none")
    figure = new_figure(2.9 if not categories else 3.6, width=0.62 * WIDTH, title=title)
    axes = quiet(figure.subplots(), grid="y")
    _draw_panel(axes, grid, lines, categories, observed)
    has_points = bool(_values_of(grid, categories))
    _leave_room(axes, lines.flatten(), has_points)
    _explain_colours(figure, [has_points], observed is not None)
    label_axes(axes, x=shortened(feature), y=label)
    told = _told(feature, grid, lines.mean(dim=0), categories)
    return describe(figure, f"{title or 'Partial dependence'} of the {label}: {told}")


def _draw_panel(axes: Axes, grid: Tensor, lines: Tensor, categories: Sequence[str], observed: Tensor | None) -> None:
    if not bool(lines.isfinite().all()):
        raise DataError("a score is NaN or infinite; leave such rows out")
    points, scores = grid.double().cpu().numpy(), lines.detach().double().cpu().numpy()
    held = np.empty(0) if observed is None else observed.double().cpu().numpy()
    held = held[np.isfinite(held)]
    values = _values_of(grid, categories)
    if not values:
        _draw_numbers(axes, points, scores, held)
        return
    places = np.arange(len(points), dtype=float)
    _draw_categories(axes, places, scores, np.abs(held[:, None] - points).argmin(axis=1) if len(held) else held)
    axes.set_xticks(places, [shortened(name, longest=14) for name in values], parse_math=False)
    axes.set_xlim(-0.6, len(values) - 0.4)
    if len(values) > 6 or max(map(len, values)) > 5:
        axes.tick_params(axis="x", labelrotation=90)


def _values_of(points: Tensor, categories: Sequence[str]) -> Sequence[str]:
    """The values that stand side by side: the categories, or the two numbers of a yes or no; none for other numbers."""
    is_yes_or_no = not categories and len(points) == 2
    return _written(points) if is_yes_or_no else categories


def _written(points: Tensor) -> list[str]:
    """The values as text; what is 0 but for rounding is 0."""
    largest = float(points.abs().max()) or 1.0
    return [short_number(round(value, 5 - math.floor(math.log10(largest)))) for value in points.tolist()]


def _draw_numbers(axes: Axes, points: np.ndarray, scores: np.ndarray, held: np.ndarray) -> None:
    chosen = np.unique(np.linspace(0, len(scores) - 1, min(len(scores), MOST_LINES)).round().astype(int))
    behind = [np.column_stack([points, line]) for line in scores[chosen]]
    opacity = float(np.clip(25 / len(chosen), 0.12, 0.6))
    axes.add_collection(
        LineCollection(behind, colors=MUTED, linewidths=0.6, alpha=opacity, rasterized=len(chosen) > 30)
    )
    axes.autoscale_view()
    is_point = {"marker": "o", "markersize": 5} if len(points) == 1 else {}
    axes.plot(points, scores.mean(axis=0), color=colour_of(0), linewidth=2.2, **is_point)  # type: ignore[arg-type]
    if len(held):
        _draw_histogram(axes, held, points)


def _draw_histogram(axes: Axes, held: np.ndarray, points: np.ndarray) -> None:
    """Along the lower edge, where the data lie; the tallest bar is a tenth of the height."""
    ends = (min(held.min(), points.min()), max(held.max(), points.max()))
    counts, edges = np.histogram(held, bins=30, range=ends if ends[0] < ends[1] else None)
    axes.bar(
        edges[:-1],
        0.1 * counts / counts.max(),
        width=np.diff(edges),
        align="edge",
        transform=axes.get_xaxis_transform(),
        color=FAINT,
        linewidth=0,
        zorder=0.6,
    )


def _explain_colours(figure: Figure, have_points: Sequence[bool], has_histogram: bool) -> None:
    """A key below the panels."""
    keys: list[tuple[Any, str]] = [(Line2D([], [], color=colour_of(0), linewidth=2.2), "mean over the rows")]
    if any(have_points):
        keys[0] = (Line2D([], [], color=colour_of(0), linewidth=2.2, marker="o"), "mean over the rows")
        keys.append((Line2D([], [], color=FAINT, linewidth=3.0), "middle 90 % of the rows"))
    if not all(have_points):
        keys.append((Line2D([], [], color=MUTED, linewidth=0.6), "single rows"))
        if has_histogram:
            keys.append((Patch(color=FAINT), "where the data lie"))
    across = 2 if figure.get_figwidth() < WIDTH else 4
    style: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "labelcolor": INK, "loc": "outside lower left"}
    figure.legend([mark for mark, _ in keys], [text for _, text in keys], ncols=across, **style)


def _leave_room(axes: Axes, drawn: Tensor, has_no_histogram: bool) -> None:
    """Round ends, with room below the lines for the histograms, once all is drawn: the upright axis may be shared."""
    low, high = float(drawn.min()), float(drawn.max())
    axes.set_ylim(*limits_of_scores(low, high, room=0.0 if has_no_histogram else 0.12))


def _draw_categories(axes: Axes, points: np.ndarray, scores: np.ndarray, held: np.ndarray) -> None:
    low, high = np.quantile(scores, [0.05, 0.95], axis=0)
    counts = np.array([(held == point).sum() for point in points], dtype=float)
    sizes = 22 + 70 * counts / counts.max() if counts.any() else np.full(len(points), 40.0)
    axes.vlines(points, low, high, color=FAINT, linewidth=3.0)
    axes.scatter(points, scores.mean(axis=0), s=sizes, color=colour_of(0), edgecolors=INK, linewidths=0.5, zorder=3)


def _told(feature: str, grid: Tensor, mean: Tensor, categories: Sequence[str]) -> str:
    low, high = int(mean.argmin()), int(mean.argmax())
    named = list(categories) or _written(grid)
    return f"{feature} from {number(float(mean[low]))} at {named[low]} to {number(float(mean[high]))} at {named[high]}"
