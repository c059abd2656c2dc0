"""The rows of a table as tensors, read and encoded as the training table was."""

import logging
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.attributes import attribute_values, intersections
from corrigible.data.cells import Blocks, Cells, Words, column, num_rows, put_back
from corrigible.data.column_reading import numbers_read
from corrigible.data.dataset import TensorData
from corrigible.data.spelling import as_categories, places_among
from corrigible.data.table_columns import (
    exposures,
    label_numbers,
    queries,
    require_classes,
    require_finite,
    require_whole,
    row_weights,
)
from corrigible.data.table_encoder import OF_CLASSES, TableEncoder
from corrigible.data.table_features import Categorical, Feature, Numeric, columns_of_feature, fill
from corrigible.errors import DataError
from corrigible.tasks import TaskChoice

log = logging.getLogger(__name__)


def encoded(blocks: Blocks, encoder: TableEncoder, *, task: TaskChoice | None = None) -> TensorData:
    """The rows of these cells, which are used up: blocks are taken away as they are encoded, to save memory.

    Raises:
        DataError: no rows, a cell that does not fit the encoder.
    """
    if not blocks or not num_rows(next(iter(blocks[0].values()))):
        raise DataError("the table has no rows; expected at least one")
    y, beside = labels_in(blocks, encoder), beside_labels_in(blocks, encoder)
    group, attributes = _groups_in(blocks, encoder)
    weight = None
    if encoder.weight is not None and encoder.weight in blocks[0]:  # Rows that are only measured need none.
        numbers = _numbers(blocks, encoder.weight, encoder)
        weight = torch.from_numpy(row_weights(encoder.weight, numbers))
    x = inputs_in(blocks, encoder)
    names = (encoder.class_names, encoder.group_names)
    more: dict[str, Any] = {"weight": weight, "extra": {**beside, **attributes}, "task": task or encoder.task}
    return TensorData(x, y, group, encoder.columns, *names, **more)


def _groups_in(blocks: Blocks, encoder: TableEncoder) -> tuple[Tensor | None, dict[str, Tensor]]:
    """The group of each row, and of several sensitive attributes each by itself."""
    if isinstance(encoder.group, str):
        cells = _as_read(column(blocks, encoder.group), encoder.group, encoder)
        require_whole(encoder.group, cells)
        return _placed(encoder.group, cells, encoder.group_names), {}
    values = {
        attribute.name: attribute_values(attribute, _as_read(column(blocks, attribute.name), attribute.name, encoder))
        for attribute in encoder.attributes
    }
    return intersections(encoder.attributes, values)[0], values


def inputs_in(blocks: Blocks, encoder: TableEncoder) -> Float[Tensor, " row column"]:
    """The features of the rows as columns; the cells are used up.

    Raises:
        DataError: a cell that does not fit the encoder.
    """
    for feature in encoder.features:
        _resolve(blocks, feature, encoder)
    return torch.from_numpy(_filled(blocks, encoder))


def labels_in(blocks: Blocks, encoder: TableEncoder) -> Tensor:
    """The labels of the rows: class numbers, or numbers, for several labels (row, label).

    Raises:
        DataError: a row without a label, or one that does not fit.
    """
    if encoder.task in OF_CLASSES:
        (target,) = encoder.targets
        cells = _as_read(column(blocks, target), target, encoder)
        require_classes(target, cells)
        return _placed(target, cells, encoder.class_names)
    found = [label_numbers(name, _numbers(blocks, name, encoder)) for name in encoder.targets]
    y = label_tensor(np.stack(found, axis=1))
    return y if encoder.task == "several_labels" else y[:, 0]


def label_tensor(numbers: NDArray[np.float64]) -> Tensor:
    """The labels as float32, or as float64 where whole numbers would lose digits."""
    y = torch.from_numpy(numbers)
    return y.float() if bool((y.float().double() == y).all()) or not bool((y == y.round()).all()) else y


def beside_labels_in(blocks: Blocks, encoder: TableEncoder) -> dict[str, Tensor]:
    """The exposure and query columns, as `TensorData.extra` takes them.

    Raises:
        DataError: an exposure that is not above 0, or a missing value.
    """
    found = {}
    if encoder.exposure is not None:
        numbers = _numbers(blocks, encoder.exposure, encoder)
        found["exposure"] = torch.from_numpy(exposures(encoder.exposure, numbers))
    if encoder.query is not None:
        found["query"] = queries(encoder.query, column(blocks, encoder.query))
    return found


def _as_read(cells: Cells, name: str, encoder: TableEncoder) -> Cells:
    """The cells, as numbers where those of training were read as numbers."""
    reading = encoder.reading(name)
    return numbers_read(cells, reading) if reading.kind == "numbers" else cells


def _numbers(blocks: Blocks, name: str, encoder: TableEncoder) -> NDArray[np.float64]:
    return numbers_read(column(blocks, name), encoder.reading(name))


def _placed(name: str, cells: Cells, names: tuple[str, ...]) -> Tensor:
    return torch.from_numpy(places_among(name, cells, names).astype(np.int64))


def _resolve(blocks: Blocks, feature: Feature, encoder: TableEncoder) -> None:
    """Replace the feature's cells by numbers, or by the places of categories."""
    cells = column(blocks, feature.name)
    if isinstance(feature, Categorical):
        put_back(blocks, feature.name, as_categories(feature.name, cells, feature.categories))
        return
    numbers = require_finite(feature.name, numbers_read(cells, encoder.reading(feature.name)))
    _tell_of_gaps(feature, numbers)
    if isinstance(cells, Words):
        put_back(blocks, feature.name, numbers)


def _filled(blocks: Blocks, encoder: TableEncoder) -> NDArray[np.float32]:
    rows = [num_rows(block[encoder.features[0].name]) for block in blocks]
    widths = [len(columns_of_feature(feature)) for feature in encoder.features]
    x = np.zeros((sum(rows), sum(widths)), np.float32)
    start = 0
    blocks.reverse()
    while blocks:
        block = blocks.pop()
        part = x[start : start + num_rows(block[encoder.features[0].name])]
        start += len(part)
        left = 0
        for feature, width in zip(encoder.features, widths, strict=True):
            fill(part[:, left : left + width], feature, block[feature.name])
            left += width
    return x


def _tell_of_gaps(feature: Numeric, numbers: NDArray[np.float64]) -> None:
    unknown = int(np.isnan(numbers).sum())
    if unknown and (not feature.has_missing or unknown == len(numbers)):
        where = "in every row" if unknown == len(numbers) else f"in {unknown:,} of {len(numbers):,} rows"
        why = "" if feature.has_missing else ", which training had everywhere"
        log.warning("column %r has no value %s%s: read as the training mean", feature.name, where, why)
