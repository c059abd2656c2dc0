"""Values with their intervals, as dots and whiskers: permutation importance and the like."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from corrigible.errors import DataError
from corrigible.explanations.summaries.permutation_importance import PermutationImportance
from corrigible.figures import number
from corrigible.plots.features import strongest
from corrigible.plots.style import (
    ABOVE,
    FAINT,
    add_legend,
    colour_of,
    describe,
    label_axes,
    limits_around,
    name_rows,
    new_figure,
    quiet,
    row_height,
)
from corrigible.printable import plural


def importance(found: PermutationImportance, *, max_features: int = 20, title: str = "") -> Figure:
    """How much worse the model does without each feature, with 95 % intervals, the most important on top.

    Raises:
        DataError: no features.
    """
    about = "rows" if found.interval_of == "rows" else "permutations"
    label = f"loss of quality without the feature, of {number(found.whole)} with all (95 % intervals over {about})"
    return dots_and_whiskers(
        found.features, found.drop, found.low, found.high, max_features=max_features, title=title, label=label
    )


def dots_and_whiskers(
    names: Sequence[str],
    values: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    max_features: int = 20,
    title: str = "",
    label: str = "value with its 95 % interval",
) -> Figure:
    """One dot per name and a line over its interval, the largest value on top, zero marked.

    Grey are those whose interval holds 0: they are within sampling error of nothing.

    Raises:
        DataError: no names, another number of values or ends, or values that are not finite.
    """
    told = np.array([values, low, high], dtype=float) if len({len(values), len(low), len(high)}) == 1 else None
    if told is None or told.shape != (3, len(names)) or not len(names):
        counts = f"{len(values)}, {len(low)} and {len(high)}"
        raise DataError(f"{plural(len(names), 'name')}, and {counts} values and ends; expected one each")
    if not np.isfinite(told).all():
        raise DataError("a value or an end of an interval is NaN or infinite; leave such names out")
    order = strongest(told[0], max_features)
    shown = [names[place] for place in order]
    figure = new_figure(0.75 + row_height(shown) * len(order), title=title)
    axes = quiet(figure.subplots(), grid="x")
    levels = range(len(order))
    axes.axvline(0, color=FAINT, linewidth=1.0, zorder=0.5)
    is_clear = (told[1, order] > 0) | (told[2, order] < 0)
    colours = [colour_of(1) if clear else FAINT for clear in is_clear]
    axes.hlines(levels, told[1, order], told[2, order], color=colours, linewidth=1.4)
    axes.scatter(told[0, order], levels, s=25, c=colours, zorder=2)
    axes.set_xlim(*limits_around(min(told[:, order].min(), 0.0), max(told[:, order].max(), 0.0)))
    name_rows(axes, shown)
    if not is_clear.all():
        keys = [(colour_of(1), "clear of 0")] * bool(is_clear.any()) + [(FAINT, "within sampling error of 0")]
        marks = [axes.scatter([], [], s=25, c=[colour]) for colour, _ in keys]
        add_legend(axes, marks, [text for _, text in keys], **ABOVE, ncols=2)
    num_left_out = len(names) - len(order)
    label_axes(axes, x=label + (f"; {num_left_out} smaller ones not shown" if num_left_out else ""))
    said = ", ".join(f"{names[k]} {number(told[0, k])} ({number(told[1, k])} to {number(told[2, k])})" for k in order)
    return describe(figure, f"{title or label}: {said}")
