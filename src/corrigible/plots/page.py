"""Plots as parts of a web page that loads nothing from elsewhere; the same plots give the same bytes."""

import base64
import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from corrigible.errors import DataError
from corrigible.folders import write_atomically
from corrigible.plots.style import description
from corrigible.printable import plural

LINES_PER_INCH = 200
"""Of points and lines that are too many for vectors."""

FRAME_HEIGHT = 640

PAGE = Markup(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
body {{ margin: 0 auto; max-width: 1060px; padding: 28px 24px 60px; color: #1b1f24; background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 28px; line-height: 1.2; margin: 0 0 20px; }}
figure {{ margin: 0 0 36px; padding-top: 14px; border-top: 1px solid #d5dbe1; break-inside: avoid; }}
figcaption {{ font-weight: 650; font-size: 18px; margin-bottom: 10px; }}
img {{ display: block; max-width: 100%; height: auto; }}
</style>
</head>
<body>
<h1>{title}</h1>
{figures}
</body>
</html>
"""
)


class Page(Markup):
    """The HTML of a page; a notebook shows it in a frame of its own, whose height a reader can change."""

    def _repr_html_(self) -> str:
        return Markup(
            '<iframe sandbox="" title="{}" srcdoc="{}" style="width:100%;height:{}px;border:1px solid #d5dbe1;'
            'resize:vertical"></iframe>'
        ).format(self._title, str(self), FRAME_HEIGHT)

    def __repr__(self) -> str:
        count = str(self).count("<figcaption>")
        return f"Page({self._title!r}, {plural(count, 'figure')}, {len(self) / 1000:,.0f} kB)"

    @property
    def _title(self) -> str:
        return Markup(str(self).partition("<title>")[2].partition("</title>")[0]).unescape()


def page(figures: Mapping[str, Figure | Markup], *, title: str, path: Path | None = None) -> Page:
    """One HTML page with each figure under its name; written to ``path``, where one is given.

    Figures are embedded as SVG, with what `describe` said about them for readers who cannot see them. `Markup`, such as
    that of `coloured_text_html`, is taken as it is; names and title are escaped.

    Raises:
        DataError: no figures, or text that is neither a figure nor `Markup`.
    """
    if not figures:
        raise DataError("no figures; expected at least one")
    parts = []
    for name, figure in figures.items():
        if not isinstance(figure, Figure | Markup):
            raise DataError(f"{name!r} is a {type(figure).__name__}; expected a figure, or Markup")
        drawn = as_image(figure, alt=name) if isinstance(figure, Figure) else figure
        parts.append(Markup("<figure>\n<figcaption>{}</figcaption>\n{}\n</figure>").format(name, drawn))
    written = Page(PAGE.format(title=title, figures=Markup("\n").join(parts)))
    if path is not None:
        write_atomically(path, written.encode())
    return written


def as_image(figure: Figure, *, alt: str = "") -> Markup:
    """The figure as an ``<img>`` that holds it; ``alt`` is for figures without a description of their own."""
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Markup('<img class="plot" width="{}" height="{}" alt="{}" src="data:image/svg+xml;base64,{}">').format(
        width, height, description(figure) or alt, base64.b64encode(svg_of(figure)).decode()
    )


def svg_of(figure: Figure) -> bytes:
    """The figure as an SVG file, without dates or random names; text stays text.

    The figure keeps the layout that it is drawn with here, so that it gives the same file again.
    """
    written = io.BytesIO()
    # The browser may have the characters that matplotlib's font lacks.
    with (
        matplotlib.rc_context({"svg.hashsalt": "corrigible", "svg.fonttype": "none", "svg.image_inline": True}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(written, format="svg", dpi=LINES_PER_INCH, metadata=nothing)
    figure.set_layout_engine("none")
    return written.getvalue()
