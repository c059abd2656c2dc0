"""What each method reached: accuracy without the confounder against reliance on it, and what a step costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from corrigible.errors import DataError
from corrigible.plots.style import (
    add_legend,
    colour_of,
    describe,
    key_below,
    label_axes,
    new_figure,
    quiet,
    spoken_method,
)

MARKERS = "osD^vPX<>p*d8"
"""As many as share no factor with the number of colours: more methods can be told apart."""


@dataclass(frozen=True)
class MethodResult:
    """One method of a comparison; None where something could not be measured."""

    name: str
    accuracy: float | None
    """On rows whose marked inputs hold other rows' values, in [0, 1]."""
    low: float | None
    high: float | None
    overlap: float | None
    """Share of absolute attribution on the marked inputs, in [0, 1]."""
    step_cost: float | None
    """Time of a step over that of plain training."""


def method_scatter(methods: Sequence[MethodResult], *, title: str = "") -> Figure:
    """One mark per method: higher is more often right without the confounder, further left relies on it less.

    The larger the mark, the dearer a step; lines are 95 % intervals. Methods that lack either number are left out.

    Raises:
        DataError: no method has both.
    """
    shown = [m for m in methods if m.accuracy is not None and m.overlap is not None]
    if not shown:
        raise DataError("no method has both an accuracy and an overlap; expected at least one")
    figure = new_figure(4.0, width=8.6, title=title)
    axes = quiet(figure.subplots(), grid="both")
    handles = []
    for place, found in enumerate(shown):
        colour, marker = colour_of(place), MARKERS[place % len(MARKERS)]
        if found.low is not None and found.high is not None:
            axes.vlines(found.overlap, found.low, found.high, color=colour, linewidth=1.2, alpha=0.7)  # type: ignore[arg-type]
        size = 30.0 * max(1.0, found.step_cost or 1.0)
        mark = {"marker": marker, "color": colour, "edgecolors": "white", "linewidths": 0.8}
        axes.scatter(found.overlap, found.accuracy, s=size, zorder=3, **mark)  # type: ignore[arg-type]
        handles.append(axes.scatter([], [], s=36, **mark))  # type: ignore[arg-type]
    label_axes(
        axes, x="share of absolute attribution on marked inputs (0 to 1)", y="accuracy with these swapped (0 to 1)"
    )
    names = [
        f"{spoken_method(m.name)} (step: {m.step_cost:.2f} ×)" if m.step_cost else spoken_method(m.name) for m in shown
    ]
    add_legend(axes, handles, names, loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0, labelspacing=0.7)
    if any(found.low is not None for found in shown):
        key_below(figure, "lines: 95 % intervals")
    said = "; ".join(
        f"{name}: accuracy {m.accuracy:.3f}, overlap {m.overlap:.3f}" for name, m in zip(names, shown, strict=True)
    )
    return describe(figure, f"{title or 'Methods compared'}: {said}")
