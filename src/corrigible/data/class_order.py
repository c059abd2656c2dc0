"""The order of classes that are named in a table, and those of a table of texts; it loads no PyTorch."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from corrigible.data.csv_layout import table_text
from corrigible.data.table_roles import require_columns

MISSING = "missing"
"""The name of a missing category; a cell with this text also counts as missing."""


def in_order(texts: Sequence[str]) -> tuple[str, ...]:
    """The different texts, sorted: as numbers if all but the missing ones are whole numbers, else as text."""
    found = set(texts)
    if all(text.removeprefix("-").isdecimal() for text in found - {MISSING}):
        return tuple(sorted(found, key=lambda text: (text == MISSING, 0 if text == MISSING else int(text), text)))
    return tuple(sorted(found))


def classes_in_column(path: Path, name: str) -> tuple[str, ...]:
    """The different values of a column of a table file as they are written, in the order of classes.

    Raises:
        DataError: a file that is missing or not a table, or that lacks the column.
    """
    with table_text(path) as source:
        require_columns(source.layout.names, (name,))
        place, found = source.layout.names.index(name), set[str]()
        for lines in source.blocks():
            text = io.StringIO(lines.text.decode(), newline="")
            found |= {cells[place] for cells in csv.reader(text, delimiter=source.layout.separator) if cells}
    return in_order(sorted(found))
