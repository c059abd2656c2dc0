"""Rows and classes as people name them: by file instead of row number, by name instead of class number."""

from collections.abc import Sequence
from typing import NamedTuple

from corrigible.errors import FeedbackError, unknown


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


def class_number(label: int | str, class_names: Sequence[str]) -> int:
    """The number of the class with this name; or the number itself, unless names are numbers.

    Raises:
        FeedbackError: no class has that name or number.
    """
    if label in class_names:
        return class_names.index(str(label))
    are_numbers = any(name.lstrip("-").isdecimal() for name in class_names)
    if isinstance(label, str) and (are_numbers or not label.isdecimal()):
        raise FeedbackError(unknown("class", label, class_names))
    if not 0 <= int(label) < len(class_names):
        raise FeedbackError(f"there is no class {label}; expected a name, or a number from 0 to {len(class_names) - 1}")
    return int(label)


def row_named(row: int, files: Sequence[str]) -> str:
    """The row by its file; by its number if rows are no files."""
    return files[row] if 0 <= row < len(files) else f"row {row}"


def rows_named(rows: Sequence[int], files: Sequence[str], *, most: int) -> str:
    """The first of these rows by their files or numbers, and how many more there are."""
    named = [files[row] if row < len(files) else str(row) for row in rows[:most]]
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    kind = "" if files else "rows " if len(rows) > 1 else "row "
    return kind + ", ".join(named) + more
