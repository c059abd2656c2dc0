"""A text whose words are coloured by their attribution."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from torch import Tensor

from corrigible.errors import DataError
from corrigible.figures import signed
from corrigible.notebook import Shown
from corrigible.pictures import shared_limit
from corrigible.plots.features import numbers_in
from corrigible.plots.style import (
    DIVERGING,
    LARGE,
    SIGNS,
    WIDTH,
    describe,
    ink_on,
    key_below,
    new_figure,
    plain,
    require_limit,
    shortened,
)
from corrigible.printable import plural

LINE_HEIGHT = 1.75
"""Times the size of the type."""
LONGEST_WORD = 60


def coloured_text(
    words: Sequence[str],
    values: Any,
    *,
    limit: float | None = None,
    width: float = WIDTH,
    title: str = "",
) -> Figure:
    """The words, wrapped, on blue where they speak against the score and on red where they speak for it.

    The colours end at ``limit``, or at the 99.5th percentile of the absolute values; unknown values (NaN) are grey.

    Args:
        values: one per word, a tensor, array or list.
        width: of the figure in inches.

    Raises:
        DataError: no words, another number of values, or a limit that is not above 0.
    """
    values = numbers_in(values, "values").float()
    colours = _colours(words, values, limit)
    boxes = _placed(words, (width - 0.2) * 72)
    num_lines = boxes[-1].line + 1
    figure = new_figure(num_lines * LINE_HEIGHT * LARGE / 72 + 0.4, width=width, title=title)
    axes = figure.subplots()
    axes.set_axis_off()
    for box, colour in zip(boxes, colours, strict=True):
        low = -(box.line + 0.86) * LINE_HEIGHT * LARGE
        axes.add_patch(Rectangle((box.left, low), box.width, 1.45 * LARGE, facecolor=colour, linewidth=0))
        middle = (box.left + box.width / 2, low + 0.72 * LARGE)
        axes.text(*middle, box.word, fontsize=LARGE, color=ink_on(colour), ha="center", va="center", parse_math=False)
    axes.set_xlim(0, (width - 0.2) * 72)
    axes.set_ylim(-num_lines * LINE_HEIGHT * LARGE, 0)
    key_below(figure, SIGNS)
    return describe(figure, f"{title or 'Text'}: {_told(words, values)}")


def coloured_text_html(words: Sequence[str], values: Any, *, limit: float | None = None) -> Shown:
    """The same as a paragraph for a web page; each word tells its value when pointed at.

    Raises:
        DataError: as ``coloured_text``.
    """
    values = numbers_in(values, "values").float()
    spans = [
        Markup('<span style="background:{};color:{};padding:1px 3px;border-radius:2px" title="{}">{}</span>').format(
            colour, ink_on(colour), signed(value), plain(word)
        )
        for word, value, colour in zip(words, values.tolist(), _colours(words, values, limit), strict=True)
    ]
    return Shown('<p class="coloured-text" style="line-height:1.9">{}</p>').format(Markup(" ").join(spans))


class _Box(NamedTuple):
    """One word and where it stands: the distance from the left in points, and the line."""

    word: str
    left: float
    width: float
    line: int


def _placed(words: Sequence[str], width: float) -> list[_Box]:
    """The words on lines of at most this width in points."""
    boxes: list[_Box] = []
    left, line = 0.0, 0
    for word in (shortened(word, longest=LONGEST_WORD) or " " for word in words):
        size = _length(word) + 0.55 * LARGE
        if left and left + size > width:
            left, line = 0.0, line + 1
        boxes.append(_Box(word, left, size, line))
        left += size + 0.22 * LARGE
    return boxes


def _length(word: str) -> float:
    """In points; measured between two letters, so that spaces count."""
    with_letters, letters = (
        TextPath((0, 0), text, size=LARGE, prop=FontProperties()).get_extents().width for text in (f"x{word}x", "xx")
    )
    return float(with_letters - letters)


def _colours(words: Sequence[str], values: Tensor, limit: float | None) -> list[str]:
    if not len(words) or values.shape != (len(words),):
        raise DataError(
            f"{plural(len(words), 'word')} and values of shape {tuple(values.shape)}; expected one value per word"
        )
    require_limit(limit)
    end = limit or shared_limit([values[None].float()])
    shares = Normalize(-end, end, clip=True)(np.ma.masked_invalid(values.detach().double().cpu().numpy()))
    return [to_hex(colour) for colour in DIVERGING(shares)]


def _told(words: Sequence[str], values: Tensor) -> str:
    order = values.abs().nan_to_num(0).argsort(descending=True, stable=True)[:5].tolist()
    strong = ", ".join(f"{plain(words[place])} {signed(float(values[place]))}" for place in order)
    return f"{plural(len(words), 'word')}; strongest: {strong}"
