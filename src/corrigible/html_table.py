"""A table as part of a web page or a notebook; cells that are no Markup are escaped."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from corrigible.errors import DataError
from corrigible.notebook import Shown
from corrigible.printable import plural

STYLE = Markup(
    "<style>table.values {border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums}"
    "table.values th, table.values td {padding: 5px 10px; border-bottom: 1px solid #d5dbe1; text-align: right;"
    " vertical-align: top}"
    "table.values td {white-space: nowrap} table.values td.text {white-space: normal}"
    "table.values th:first-child, table.values td:first-child, table.values .text {text-align: left}</style>"
)


def table_html(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Shown:
    """The rows under their header; numbers stand right, the first column and cells of several words left.

    Raises:
        DataError: a row with another number of cells than the header.
    """
    for row in rows:
        if len(row) != len(header):
            raise DataError(f"a row has {plural(len(row), 'cell')}; expected {len(header)}, as the header")
    kinds = [_kind(column) for column in zip(*rows, strict=True)] or [Markup("")] * len(header)
    head = Markup("").join(Markup("<th{}>{}</th>").format(*pair) for pair in zip(kinds, header, strict=True))
    body = Markup("").join(Markup("<tr>{}</tr>").format(Markup("").join(map(_cell, row))) for row in rows)
    return Shown(
        STYLE + Markup('<table class="values"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(head, body)
    )


def _cell(text: str) -> Markup:
    return Markup("<td{}>{}</td>").format(_kind([text]), text)


def _kind(texts: Iterable[str]) -> Markup:
    """What marks cells of several words, and the head of a column that has one."""
    return Markup(' class="text"' if any(_is_text(text) for text in texts) else "")


def _is_text(cell: str) -> bool:
    return isinstance(cell, Markup) or (" " in cell and cell[0].isalpha())
