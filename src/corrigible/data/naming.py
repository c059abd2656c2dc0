"""Rows and classes as people name them: by file instead of row number, by name instead of class number."""

from collections.abc import Sequence
from typing import NamedTuple


class Names(NamedTuple):
    """The files of the rows and the names of the classes; empty where there are none."""

    files: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    def row(self, row: int) -> str:
        """The row by its file, or its number."""
        return row_named(row, self.files)

    def label(self, label: int) -> str:
        """The class by its name, or its number."""
        return class_named(label, self.class_names)

    def place(self, *, label: int | None = None, row: int | None = None) -> str:
        """A row, a class, or "every row"."""
        if row is not None:
            return self.row(row)
        return "every row" if label is None else f"class {self.label(label)}"


def class_named(label: int, class_names: Sequence[str]) -> str:
    """The name of the class; its number if it has no name."""
    return class_names[label] if label < len(class_names) else str(label)


def row_named(row: int, files: Sequence[str]) -> str:
    """The row by its file; by its number if rows are no files."""
    return files[row] if 0 <= row < len(files) else f"row {row}"


def rows_named(rows: Sequence[int], files: Sequence[str], *, most: int) -> str:
    """The first of these rows by their files or numbers, and how many more there are."""
    named = [files[row] if row < len(files) else str(row) for row in rows[:most]]
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    kind = "" if files else "rows " if len(rows) > 1 else "row "
    return kind + ", ".join(named) + more
