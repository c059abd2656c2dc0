"""The features and classes of a training table, known without reading its rows and without loading PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corrigible.data.csv_layout import table_text
from corrigible.data.kept_facts import kept_facts
from corrigible.data.table_roles import OF_CLASSES, Roles, naming_file, require_columns

TRAIN = "train.csv"


@dataclass(frozen=True)
class TableOutline:
    """What a table's features are called, and its classes."""

    num_columns: Mapping[str, int]
    """How many columns of the encoded ``x`` each feature makes up; a column for each where that is not known yet."""
    class_names: tuple[str, ...]
    """Empty where they are not known yet, and for labels that are no classes."""


def table_outline(folder: Path, roles: Roles) -> TableOutline:
    """The outline of the training table in this folder.

    It comes from the reading that was kept beside the table. Where there is none, only the line of names is read: then
    no classes are known, and each column is taken for a feature.

    Raises:
        DataError: a file that is missing or not a table, or that lacks a column.
    """
    kept = kept_facts(folder, roles)
    if kept is not None:
        found = {feature["name"]: _num_columns(feature) for feature in kept["encoder"]["features"]}
        names = tuple(kept["encoder"]["class_names"]) if roles.task in OF_CLASSES else ()
        return TableOutline({name: number for name, number in found.items() if number}, names)
    with table_text(folder / TRAIN) as source, naming_file(source.path):
        require_columns(source.layout.names, (*roles.read, *roles.drop))
        return TableOutline({name: 1 for name in source.layout.names if roles.may_be_feature(name)}, ())


def _num_columns(feature: Mapping[str, Any]) -> int:
    """As `table_features.columns_of_feature` has it; 0 for a feature that carries no information."""
    if "categories" in feature:
        return len(feature["categories"]) if len(feature["categories"]) > 1 else 0
    return int(feature["sd"] > 0) + int(feature["has_missing"])
