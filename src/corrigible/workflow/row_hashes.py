"""Hashes of training rows that stay the same when other rows are taken out."""

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import torch

from corrigible.data.csv_cells import table_text, texts_as_written
from corrigible.data.dataset import rows_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.tablefile import TRAIN
from corrigible.feedback.masks import fingerprint
from corrigible.study import Study

Named = tuple[str, ...]


def hashed_columns(study: Study, data: Dataset) -> Named:
    """The columns of ``train.csv`` that the inputs are read from; none where they are read from elsewhere."""
    recipe = study.recipe
    if recipe.source is not None or recipe.kind not in ("table", "text"):
        return ()
    if recipe.kind == "text":
        return (str(recipe.data.get("text", "text")),)
    columns = columns_of(data)
    return () if columns is None else tuple(columns.features)


def row_hashes(study: Study, data: Dataset, columns: Sequence[str]) -> list[str] | None:
    """A hash of each training row: of its cells in these columns, or without columns of its inputs.

    Encoded inputs of a table depend on all of its rows, by means and vocabularies; cells do not. Numbers that are
    written differently have the same hash. None where the file lacks one of the columns, or has other rows.

    Raises:
        DataError: a file that is no table.
    """
    if not columns:
        return [input_hash(data, row) for row in range(len(data))]
    with table_text(study.folder / "data" / TRAIN) as source:
        if not set(columns) <= set(source.layout.names):
            return None
        cells = texts_as_written(source, columns)
    hashes = [_hash(row) for row in zip(*(cells[name] for name in columns), strict=True)]
    return hashes if len(hashes) == len(data) else None


def input_hash(data: Dataset, row: int) -> str:
    """A hash of one row's inputs."""
    return fingerprint(rows_of(data, torch.tensor([row])).x[0])


def _hash(cells: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps([_plain(str(cell)) for cell in cells]).encode()).hexdigest()[:16]


def _plain(cell: str) -> str:
    """The text without spaces around it, and a number in its shortest form."""
    text = cell.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return repr(number + 0.0) if math.isfinite(number) else text
