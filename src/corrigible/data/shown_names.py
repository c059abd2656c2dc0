"""The words that people gave for columns, categories and classes, shown in place of the names in the data."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from corrigible.errors import unknown
from corrigible.types import Columns

Labels = Mapping[str, str]
"""Name of a column or class, or ``column=category`` -> words."""
log = logging.getLogger(__name__)


def tell_unused(labels: Labels, columns: Columns | None, class_names: Sequence[str]) -> None:
    """Log a warning for words that name nothing of the data: a column, ``column=category``, category or class."""
    known = set(class_names)
    if columns is not None:
        known |= {*columns.names, *columns.feature, *(name.partition("=")[2] for name in columns.names)}
    for name in labels:
        if name not in known and not (columns is not None and _is_value(name, columns)):
            log.warning(unknown("name in [labels]", name, known))


def _is_value(name: str, columns: Columns) -> bool:
    """Whether it is ``column=number`` of a column of numbers."""
    feature, _, value = name.rpartition("=")
    return value.isdecimal() and (feature, False) in zip(columns.feature, columns.one_hot, strict=True)


def in_words(name: str, labels: Labels) -> str:
    """The words for a column, a class or ``column=category``; the name itself where there are none."""
    feature, has_category, category = name.partition("=")
    if name in labels or not has_category or feature not in labels:
        return labels.get(name, name)
    return f"{labels[feature]}={category}"


def columns_in_words(columns: Columns, labels: Labels) -> Columns:
    """The columns by the words for them and for their categories."""
    if not labels:
        return columns
    features = tuple(in_words(feature, labels) for feature in columns.feature)
    names = []
    for name, feature, words in zip(columns.names, columns.feature, features, strict=True):
        category = name.removeprefix(f"{feature}=")
        names.append(words if name == feature else f"{words}={labels.get(name, category)}")
    values = []
    for name in labels:
        if _is_value(name, columns) and name not in columns.names:
            feature, _, value = name.rpartition("=")
            values.append((f"{in_words(feature, labels)}={value}", labels[name]))
    return replace(columns, names=tuple(names), feature=features, words=tuple(values))
