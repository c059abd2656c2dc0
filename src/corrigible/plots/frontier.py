"""The frontier of quality against gaps: what each method reached, one panel for each gap between groups."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from corrigible.errors import DataError
from corrigible.plots.method_scatter import MARKERS
from corrigible.plots.style import (
    MUTED,
    add_legend,
    colour_of,
    describe,
    key_below,
    label_axes,
    new_figure,
    quiet,
    spoken_method,
)
from corrigible.types import Measurement

MOST_COLUMNS = 3


def frontier(
    measured: Mapping[str, Sequence[Measurement]],
    *,
    quality: str,
    gaps: Sequence[str],
    lower_is_better: bool = False,
    title: str = "",
) -> Figure:
    """One panel per gap: further left is more equal, higher is better; each mark is a method with its intervals.

    The line joins the methods that no other beats in both; a method left of it or above would be news. Methods without
    the quality or a gap are left out of that panel.

    Args:
        measured: for each method what was measured of it on the same rows, such as what `evaluate` gives.
        quality: the metric on the upright axis, such as "accuracy" or "mean_poisson_deviance".
        gaps: the metrics of the panels, such as "demographic_parity_difference".
        lower_is_better: of the quality, such as a deviance.

    Raises:
        DataError: no method has the quality and one of the gaps.
    """
    points = {gap: _points(measured, quality, gap) for gap in gaps}
    points = {gap: found for gap, found in points.items() if found}
    if not points:
        raise DataError(f"no method has {quality} and one of {', '.join(gaps)}; expected at least one")
    columns = min(MOST_COLUMNS, len(points))
    rows = -(-len(points) // columns)
    figure = new_figure(3.1 * rows + 0.2, width=3.3 * columns + 2.2, title=title)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    names = list(measured)
    for place, axes in enumerate(panels.flat):
        if place >= len(points):
            axes.set_visible(False)
            continue
        gap = list(points)[place]
        _draw(quiet(axes, grid="both"), points[gap], names, lower=lower_is_better)
        label_axes(axes, x=spoken_method(gap), y=spoken_method(quality) if place % columns == 0 else "")
    if lower_is_better:
        panels[0, 0].invert_yaxis()  # Of all panels, which share it: better is higher.
    shown = [name for name in names if any(name in found for found in points.values())]
    handles = [panels.flat[0].scatter([], [], s=36, **_mark(names.index(name))) for name in shown]
    beside = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.02), "borderaxespad": 0, "labelspacing": 0.7}
    add_legend(panels[0, columns - 1], handles, [spoken_method(name) for name in shown], **beside)
    key_below(figure, "lines through marks: 95 % intervals · grey: what no other method beats in both")
    said = "; ".join(
        f"{spoken_method(gap)}: "
        + ", ".join(f"{name} {x.value:.3f} at {y.value:.3f}" for name, (x, y) in found.items())
        for gap, found in points.items()
    )
    return describe(figure, f"{title or 'Frontier'}, {spoken_method(quality)} against gaps. {said}")


def best_of_both(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (gap, quality) that no other beats in both, a smaller gap and a higher quality, from the smallest gap up."""
    found: list[tuple[float, float]] = []
    for gap, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not found or quality > found[-1][1]:
            found.append((gap, quality))
    return found


Point = tuple[Measurement, Measurement]


def _points(measured: Mapping[str, Sequence[Measurement]], quality: str, gap: str) -> dict[str, Point]:
    found = {}
    for name, measurements in measured.items():
        of = {m.metric: m for m in measurements if not m.part and m.value is not None}
        if quality in of and gap in of:
            found[name] = (of[gap], of[quality])
    return found


def _draw(axes: Axes, points: Mapping[str, Point], names: Sequence[str], *, lower: bool) -> None:
    sign = -1 if lower else 1
    line = best_of_both([(x.value or 0.0, sign * (y.value or 0.0)) for x, y in points.values()])
    axes.plot([gap for gap, _ in line], [sign * value for _, value in line], color=MUTED, linewidth=1, alpha=0.6)
    for name, (x, y) in points.items():
        mark = _mark(names.index(name))
        thin = {"color": mark["color"], "linewidth": 1.1, "alpha": 0.6}
        if x.low is not None and x.high is not None:
            axes.hlines(y.value, x.low, x.high, **thin)  # type: ignore[arg-type]
        if y.low is not None and y.high is not None:
            axes.vlines(x.value, y.low, y.high, **thin)  # type: ignore[arg-type]
        axes.scatter(x.value, y.value, s=36, zorder=3, **mark)  # type: ignore[arg-type]
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if axes.get_xlim()[0] < 0:
        axes.set_xlim(left=0)


def _mark(place: int) -> dict[str, object]:
    marker = MARKERS[place % len(MARKERS)]
    return {"marker": marker, "color": colour_of(place), "edgecolors": "white", "linewidths": 0.8}
