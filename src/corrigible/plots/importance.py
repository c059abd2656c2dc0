"""Values with their intervals, as dots and whiskers: permutation importance and the like."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from corrigible.errors import DataError
from corrigible.explanations.summaries.permutation_importance import PermutationImportance
from corrigible.plots.features import strongest
from corrigible.plots.style import FAINT, colour_of, describe, label_axes, name_rows, new_figure, quiet, row_height
from corrigible.printable import plural


def importance(found: PermutationImportance, *, max_features: int = 20, title: str = "") -> Figure:
    """How much worse the model does without each feature, with 95 % intervals, the most important on top.

    Raises:
        DataError: no features.
    """
    about = "rows" if found.interval_of == "rows" else "permutations"
    label = f"loss of quality without the feature, of {found.whole:.3g} (95 % intervals over {about})"
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
    label: str = "",
) -> Figure:
    """One dot per name and a line over its interval, the largest value on top, zero marked.

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
    axes.hlines(levels, told[1, order], told[2, order], color=colour_of(1), linewidth=1.4)
    axes.plot(told[0, order], levels, marker="o", markersize=5, linestyle="none", color=colour_of(1))
    name_rows(axes, shown)
    num_left_out = len(names) - len(order)
    label_axes(axes, x=label + (f"; {num_left_out} smaller ones not shown" if num_left_out else ""))
    said = ", ".join(f"{names[k]} {told[0, k]:.3g} ({told[1, k]:.3g} to {told[2, k]:.3g})" for k in order)
    return describe(figure, f"{title or label or 'Values with intervals'}: {said}")
