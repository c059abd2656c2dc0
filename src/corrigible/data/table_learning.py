"""Learn from the cells of a training table how it, and others like it, are read and encoded."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch

from corrigible.data.attributes import Attribute, attribute_of, intersections
from corrigible.data.cells import Blocks, Cells, Words, column, put_back
from corrigible.data.class_order import in_order
from corrigible.data.column_reading import Reading, TextOf, numbers_read, reading_of, require_categories, with_words
from corrigible.data.spelling import as_words
from corrigible.data.table_columns import label_numbers, require_classes, require_finite, require_whole
from corrigible.data.table_encoder import OF_CLASSES, Roles, TableEncoder
from corrigible.data.table_features import Feature, categorical_of, columns_of_feature, names_with_missing, numeric_of
from corrigible.errors import DataError

UNNAMED = re.compile(r"Unnamed: \d+")
log = logging.getLogger(__name__)


def learned(
    blocks: Blocks,
    roles: Roles,
    *,
    texts: Mapping[str, TextOf] = MappingProxyType({}),
    notes: Sequence[str] = (),
    words: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> TableEncoder:
    """The encoder of a table with these cells, which are read as numbers where they turn out to be numbers.

    Args:
        texts: where the text of each column is from; from a file if it is not named.
        notes: what was noted when the cells were read.
        words: by column, the texts that stood for an unknown number.

    Raises:
        DataError: a column that cannot be read or used, a missing label, no feature left.
    """
    if not blocks:
        raise DataError("the training table has no rows; expected at least one")
    said = [*notes, *_without_unnamed(blocks, roles)]
    readings = {
        name: with_words(_read(blocks, name, roles, texts.get(name, "file")), words.get(name, ())) for name in blocks[0]
    }
    class_names = _label_names(blocks, roles)
    features: list[Feature] = []
    for name, reading in readings.items():
        if not roles.may_be_feature(name):
            said.append(reading.note)
            continue
        feature = _feature(name, column(blocks, name), reading)
        is_kept = bool(columns_of_feature(feature))
        said.append(reading.note if is_kept else f"column {name!r} holds one value only and was dropped")
        features.extend([feature] * is_kept)
    if not features:
        beside = f" beside {', '.join(others)}" if (others := (*roles.read, *roles.drop)) else ""
        raise DataError(f"no feature left{beside}; expected a column that is not constant")
    _tell(readings.values(), said)
    attributes, group_names = _groups(blocks, roles)
    facts = (tuple(features), roles.target, class_names, roles.group, group_names, tuple(said), roles.weight)
    return TableEncoder(*facts, roles.task, roles.exposure, roles.query, tuple(readings.values()), attributes)


def _read(blocks: Blocks, name: str, roles: Roles, text: TextOf) -> Reading:
    """The column's reading; where it holds numbers written as text, the blocks hold numbers afterwards."""
    of_numbers = (roles.weight, roles.exposure, *(() if roles.task in OF_CLASSES else roles.targets))
    must_be_numbers = name in of_numbers
    is_label = name in roles.read and not roles.may_be_feature(name)
    cells = column(blocks, name)
    reading = reading_of(name, cells, text="file" if must_be_numbers else text, is_label=is_label)
    if isinstance(cells, Words) and (reading.kind == "numbers" or must_be_numbers):
        put_back(blocks, name, numbers_read(cells, reading))
    return reading


def _without_unnamed(blocks: Blocks, roles: Roles) -> list[str]:
    """What is said of columns without a name, which are taken away: those that number the rows, or hold nothing.

    Raises:
        DataError: one that holds something else.
    """
    said = []
    for name in [name for name in blocks[0] if UNNAMED.fullmatch(name) and roles.may_be_feature(name)]:
        cells = column(blocks, name)
        if isinstance(cells, Words):
            is_number, what = bool((cells.codes < 0).all()), "holds nothing"
        else:
            is_number = bool((cells == np.round(cells)).all()) and len(np.unique(cells)) == len(cells)
            what = "numbers the rows"
        if not is_number:
            raise DataError(f"a column has no name (it is called {name!r} here); give it one, or take it away")
        said.append(f"column {name!r}, which has no name and {what}, was dropped")
        for block in blocks:
            del block[name]
    return said


def _feature(name: str, cells: Cells, reading: Reading) -> Feature:
    if reading.kind == "numbers":
        assert not isinstance(cells, Words)
        return numeric_of(name, require_finite(name, cells))
    assert isinstance(cells, Words)
    require_categories(name, cells)
    return categorical_of(name, cells)


def _label_names(blocks: Blocks, roles: Roles) -> tuple[str, ...]:
    if not roles.targets:
        return ()
    if roles.task in OF_CLASSES:
        cells = column(blocks, roles.targets[0])
        require_classes(roles.targets[0], cells)
        return in_order(as_words(cells).texts)
    for name in roles.targets:  # To be refused at once.
        cells = column(blocks, name)
        assert not isinstance(cells, Words)  # They were read as numbers.
        label_numbers(name, cells)
    return roles.targets if roles.task == "several_labels" else ()


def _groups(blocks: Blocks, roles: Roles) -> tuple[tuple[Attribute, ...], tuple[str, ...]]:
    """The sensitive attributes, where there are several, and the names of the groups."""
    if isinstance(roles.group, str):
        cells = column(blocks, roles.group)
        require_whole(roles.group, cells)
        return (), names_with_missing(roles.group, as_words(cells))
    attributes = tuple(attribute_of(name, column(blocks, name)) for name in roles.groups)
    none = torch.zeros(0, dtype=torch.long)
    return attributes, intersections(attributes, {attribute.name: none for attribute in attributes})[1]


def _tell(readings: Iterable[Reading], notes: Sequence[str]) -> None:
    """Log every note, those with a doubt as warnings."""
    doubted = {reading.note for reading in readings if reading.remark or reading.words}
    for note in notes:
        log.log(logging.WARNING if note in doubted else logging.INFO, note)
