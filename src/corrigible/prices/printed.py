"""A table as lines of text."""

from collections.abc import Sequence

from corrigible.printable import printable


def printed_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their header, in columns of equal width: the first at the left, numbers at the right."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in enumerate(zipped))
        for zipped in (zip(row, widths, strict=True) for row in cells)
    ]
    return "\n".join(line.rstrip() for line in lines)
