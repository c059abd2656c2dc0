"""What a figure shows, read back from its artists."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

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


def row_names(axes: Axes) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
