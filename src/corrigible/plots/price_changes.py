"""Who pays more and who pays less: the change of the mean price by tenth of the old price, a line for each group."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corrigible.figures import percent
from corrigible.plots.style import (
    ABOVE,
    FAINT,
    add_legend,
    colour_of,
    dashes_of,
    describe,
    key_below,
    label_axes,
    new_figure,
    quiet,
)
from corrigible.prices.price_changes import PriceChange, PriceChanges
from corrigible.printable import plural

MOST_GROUPS = 5
ASIDE = 0.09
"""How far the dots of one group stand beside those of the next."""


def price_changes(found: PriceChanges, *, title: str = "Who pays more, who pays less") -> Figure:
    """The change of the mean price of each group, in per cent, by tenth of the old price, with 95 % intervals.

    The five groups of the largest exposure are drawn.
    """
    ranked = sorted(found.by_group, key=lambda group: -group.exposure)
    shown = [group for group in found.by_group if group in ranked[:MOST_GROUPS]]
    figure = new_figure(3.4, width=7.0, title=title)
    axes = quiet(figure.subplots(), grid="y")
    axes.axhline(0, color=FAINT, linewidth=1.0, zorder=0.5)
    handles = []
    for place, group in enumerate(shown):
        cells = [cell for cell in found.cells if cell.key == group.key]
        handles.append(_draw(axes, cells, place, len(shown)))
    axes.set_xticks(range(1, 11))
    label_axes(axes, x="tenth of the old price, from low to high", y="change of the mean price in %")
    names = [f"{group.group}: {percent(group.change.value)} in all" for group in shown]
    across = 2 if max(map(len, names)) < 34 else 1
    add_legend(axes, handles, names, **ABOVE, ncols=across)
    hidden = len(found.by_group) - len(shown)
    key_below(figure, "lines: 95 % intervals", f"{plural(hidden, 'smaller group')} not shown" if hidden else "")
    return describe(figure, f"{title}: {'; '.join(names)}")


def _draw(axes: Axes, cells: Sequence[PriceChange], place: int, count: int) -> object:
    """One group's dots, joined, with a line over each interval."""
    level = np.array([cell.tenth for cell in cells]) + ASIDE * (place - (count - 1) / 2)
    value, low, high = 100 * np.array([cell.change for cell in cells]).T
    colour = colour_of(place)
    axes.vlines(level, low, high, color=colour, linewidth=1.2, alpha=0.7)
    (line,) = axes.plot(level, value, color=colour, linestyle=dashes_of(place), marker="o", markersize=4, linewidth=1.4)
    return line
