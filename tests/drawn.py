"""What a figure shows, read back from its artists."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter

HOSTILE = "$a_1$ ^{ <script>\n\t" + "long words that go on and on " * 9
"""A name that must neither be read as a formula or a tag, nor leave the canvas."""


def texts(figure: Figure) -> list[Text]:
    """Those that are drawn; matplotlib also keeps labels of ticks beyond an axis's ends."""
    kept = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    found = [text for text in figure.findobj(Text) if text not in kept]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def outside(figure: Figure) -> list[str]:
    """Texts that are not wholly on the canvas."""
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    found = []
    for text in texts(figure):
        box = text.get_window_extent()
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            found.append(text.get_text())
    return found


def unnamed_axes(figure: Figure) -> list[str]:
    """Which axes show numbers and have no name."""
    figure.draw_without_rendering()
    found = []
    for axes in figure.axes:
        if not axes.get_visible() or not axes.axison:
            continue
        for which, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
            shown = [label.get_text() for label in axis.get_ticklabels() if label.get_visible()]
            has_numbers = any(text[:1].isdigit() or text[:1] == "−" for text in shown) and axis.get_visible()
            has_numbers &= not isinstance(axis.get_major_formatter(), FixedFormatter)
            # The middle panels of a row that shares its axis have no numbers of their own.
            is_drawn = bool(axis.get_tick_params().get(f"label{'bottom' if which == 'x' else 'left'}", True))
            if has_numbers and is_drawn and not axis.get_label_text():
                found.append(which)
    return found


def row_names(axes: Axes) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
