"""What a recipe has to say of a table's target, and the line to write where it does not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corrigible.data.csv_layout import table_text
from corrigible.data.protocol import Dataset, class_names_of
from corrigible.errors import DataError, RecipeError

MANY = 20
"""Least number of different numbers that are taken for amounts, if most rows have one of their own."""
AMOUNTS = 'a part with the lines [task] and name = "amounts"'


def require_target(kind: str, settings: Mapping[str, Any], folder: Path) -> None:
    """Raises RecipeError, with the line to write, if a table's recipe names no target."""
    if kind != "table" or "target" in settings:
        return
    with table_text(folder / "train.csv") as source:
        names = source.layout.names
    raise RecipeError(
        f"[data] has no target; below kind = in recipe.toml write target = {names[-1]!r}, or another of the columns "
        f"{', '.join(names)}; numbers that are no classes also need {AMOUNTS}"
    )


def require_classes(rows: Dataset, split: str, task: object) -> Dataset:
    """The rows as they were given, after a check that their labels can be classes.

    Raises:
        DataError: the recipe names no [task], and the labels look like amounts.
    """
    names = class_names_of(rows)
    if (
        task is not None
        or split != "train"
        or len(names) <= max(MANY, len(rows) / 2)
        or not all(map(_is_number, names))
    ):
        return rows
    raise DataError(
        f"the target holds {len(names):,} different numbers in {len(rows):,} rows, too many for classes; if they are "
        f"amounts, write {AMOUNTS} in recipe.toml"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
