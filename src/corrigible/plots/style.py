"""What all plots share: colours, type sizes, and how names that people gave are written.

Figures are made without pyplot and without touching matplotlib's settings: nothing is opened, kept or left changed.
"""

import copy
import io
import math
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from corrigible.errors import DataError
from corrigible.explanations.surrogates.fidelity import Fidelity
from corrigible.figures import COLOURS, DASHES, short_number
from corrigible.pictures import STOPS, UNKNOWN

INK, MUTED, RULE = "#1b1f24", "#57606a", "#d5dbe1"
FAINT = "#aeb5bd"
"""Points without a value of their own."""
NEGATIVE, POSITIVE = (tuple(channel / 255 for channel in stop) for stop in (STOPS[0], STOPS[-1]))
SMALL, NORMAL, LARGE = 8.0, 9.0, 11.0
WIDTH = 6.0
"""Inches; with these type sizes a figure can stand in a column of about 500 pixels."""
ABOVE: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0), "borderaxespad": 0.2}
"""Where a legend above the axes stands."""
LONGEST_NAME, LONGEST_TITLE = 28, 110
DOTS_PER_INCH = 96
"""Of a screen."""

DIVERGING = LinearSegmentedColormap.from_list(
    "corrigible_diverging", [[channel / 255 for channel in stop] for stop in STOPS], N=511
).with_extremes(bad="#{:02x}{:02x}{:02x}".format(*UNKNOWN))
"""Blue below zero, white at zero, red above, grey where unknown: the map of the report's pictures."""
VALUES = LinearSegmentedColormap.from_list("corrigible_values", colormaps["plasma"](np.linspace(0.02, 0.84, 64)))
"""Dark blue for low values, orange for high ones; evenly spaced for any colour vision, and no pale end."""


class ShownFigure(Figure):
    """A figure that a notebook shows as the last line of a cell, though pyplot does not know it."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """The picture at twice the size that it is shown in, and that size with the text for readers who cannot see."""
        written = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            # A copy, because drawing fixes a layout, which another form of the picture would begin from.
            copy.deepcopy(self).savefig(written, format="png", dpi=2 * DOTS_PER_INCH)
        width, height = (round(DOTS_PER_INCH * inches) for inches in self.get_size_inches())
        return written.getvalue(), {"width": width, "height": height, "alt": description(self)}

    def __repr__(self) -> str:
        return f"Figure({description(self)})"


SIGNS = "red: raises the score · blue: lowers it"


def new_figure(height: float, *, width: float = WIDTH, title: str = "") -> Figure:
    """An empty figure of that size in inches, and as much higher as the title at its upper left takes."""
    # 0.105 inches per character of this size, on average.
    lines = textwrap.wrap(shortened(title, longest=LONGEST_TITLE), int(width / 0.105))
    figure = ShownFigure(figsize=(width, height + 0.23 * len(lines)), layout="constrained", facecolor="white")
    if lines:
        style: dict[str, Any] = {"fontsize": LARGE, "fontweight": "bold", "color": INK, "linespacing": 1.25}
        figure.suptitle("\n".join(lines), x=0.06 / width, ha="left", **style).set_parse_math(False)
    return figure


def _ticks() -> FuncFormatter:
    """Numbers beside an axis, without the errors of their last digits."""
    return FuncFormatter(lambda value, _: short_number(float(f"{value:.12g}")))


def quiet(axes: Axes, *, grid: str | None = None) -> Axes:
    """The axes with a light frame, no ticks that nobody reads, and a grid along one direction where asked."""
    axes.set_facecolor("white")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)
        spine.set_linewidth(0.8)
    axes.tick_params(labelsize=SMALL, labelcolor=MUTED, color=FAINT, length=3, width=0.8)
    axes.grid(visible=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_ticks())
    if grid is not None:
        axes.grid(visible=True, axis=grid, color="#e6e9ed", linewidth=0.8, linestyle="-")  # type: ignore[arg-type]
        axes.set_axisbelow(True)
    return axes


def unfaithful_title(title: str, fidelity: Fidelity) -> str:
    """The title of a surrogate, which says so where it does not follow its model as well as was wanted."""
    return title if fidelity.is_reached else f"{title} (does not follow the model well enough to trust)"


def limits_around(low: float, high: float) -> tuple[float, float]:
    """Round ends of an axis that no value from ``low`` to ``high`` touches."""
    span = high - low or abs(high) or 1.0
    unit = 10.0 ** math.floor(math.log10(span / 6))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= span / 6)
    ends = step * math.floor((low - 0.02 * span) / step), step * math.ceil((high + 0.02 * span) / step)
    return float(f"{ends[0]:.12g}"), float(f"{ends[1]:.12g}")


def limits_of_scores(low: float, high: float, *, room: float = 0.0) -> tuple[float, float]:
    """Round ends around scores, with that share of the range left free below; from 0 to 1 for probabilities."""
    if low >= 0 and high <= 1 and high - low > 0.2:
        return -0.02 - room, 1.02
    return limits_around(low - room * (high - low), high)


def label_axes(axes: Axes, *, x: str = "", y: str = "") -> None:
    """The names of both axes, as they were given."""
    style: dict[str, Any] = {"fontsize": SMALL + 0.5, "color": MUTED, "parse_math": False}
    axes.set_xlabel(textwrap.fill(shortened(x, longest=LONGEST_TITLE), 56), **style)
    axes.set_ylabel(on_two_lines(y, width=22), **style)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """One name at each whole number of the upright axis, the first on top."""
    axes.set_yticks(range(len(names)), [on_two_lines(name) for name in names], parse_math=False)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=NORMAL)
    axes.set_ylim(len(names) - 0.5, -0.5)


def row_height(names: Sequence[str]) -> float:
    """Inches for each name of ``name_rows``."""
    return 0.29 if max(map(len, names), default=0) <= LONGEST_NAME else 0.36


def text_style(**changes: Any) -> dict[str, Any]:
    """How text inside the axes is written: small, and never read as a formula."""
    return {"fontsize": SMALL, "color": MUTED, "parse_math": False} | changes


def add_legend(axes: Axes, handles: Sequence[Any], names: Sequence[str], **place: Any) -> None:
    """A legend without a frame; names are written as they are, also when they begin with an underscore."""
    legend = axes.legend(
        handles, [f"{number}" for number in range(len(names))], frameon=False, fontsize=SMALL, labelcolor=INK, **place
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(shortened(name, longest=44))


def colour_bar(figure: Figure, drawn: Any, *, label: str = "", **place: Any) -> Any:
    """The legend of a colour scale; ``place`` is what ``Figure.colorbar`` takes."""
    bar = figure.colorbar(drawn, **place)
    bar.outline.set_visible(False)
    bar.formatter = _ticks()
    bar.ax.tick_params(labelsize=SMALL, labelcolor=MUTED, color=FAINT, length=3, width=0.8)
    bar.set_label(label, fontsize=SMALL, color=MUTED)
    for text in (bar.ax.xaxis.label, bar.ax.yaxis.label):
        text.set_parse_math(False)
    return bar


def colour_of(place: int) -> str:
    """The colour of the curve, class or group at this place, as in the report."""
    return COLOURS[place % len(COLOURS)]


def dashes_of(place: int) -> Any:
    """The line style of the curve at this place, as matplotlib takes it."""
    dash = DASHES[place % len(DASHES)]
    return (0, tuple(float(part) / 2 for part in dash.split())) if dash else "solid"


def key_below(figure: Figure, *lines: str) -> None:
    """What colours, bands and whiskers mean, at the foot of the figure; empty lines are left out."""
    figure.supxlabel("\n".join(filter(None, lines)), **text_style(x=0.02, ha="left"))


def require_limit(limit: float | None) -> None:
    """Raises DataError for an end of a colour scale that is not above 0."""
    if limit is not None and not 0 < limit < float("inf"):
        raise DataError(f"the limit is {limit}; expected a number above 0")


def ink_on(colour: str) -> str:
    """Dark or white, whichever can be read better on the colour."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if luminance > 0.2 else "#ffffff"


def plain(text: str) -> str:
    """The text on one line, with single spaces and without characters that draw nothing."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else "·" for c in str(text)).split())


def spoken_method(name: str) -> str:
    """A method's name as words; the name of anything else as it is."""
    return name.replace("_", " ") if name.isidentifier() and name.islower() else name


def shortened(name: str, *, longest: int = LONGEST_NAME) -> str:
    """The name on one line; a long one loses its middle, since ends tell one-hot columns apart."""
    name = plain(name)
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return f"{name[: longest - 1 - tail]}…{name[-tail:]}"


def on_two_lines(name: str, *, width: int = LONGEST_NAME) -> str:
    """The name on one line, or on two where it is longer than ``width`` characters."""
    name = shortened(name, longest=2 * width - 2)
    lines = textwrap.wrap(name, width=width) if len(name) > width else [name]
    return "\n".join(lines if len(lines) <= 2 else [name[: len(name) // 2], name[len(name) // 2 :]])


def describe(figure: Figure, text: str) -> Figure:
    """The figure with a text for readers who cannot see it."""
    figure.set_label(plain(text))
    return figure


def description(figure: Figure) -> str:
    """What ``describe`` said about the figure; empty where nothing did."""
    return str(figure.get_label() or "")


def texts_of(figure: Figure) -> list[Text]:
    """All texts in the figure that are drawn."""
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
