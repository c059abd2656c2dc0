"""Tables kept as text in ``<folder>/train.csv`` and ``<folder>/<split>.csv``."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from corrigible.data.cells import Blocks, Words
from corrigible.data.column_reading import reading_of, require_categories
from corrigible.data.csv_cells import cells_as_read, table_text, training_cells
from corrigible.data.csv_layout import SEPARATORS, TableText
from corrigible.data.dataset import TensorData
from corrigible.data.kept_reading import keep, kept_reading
from corrigible.data.labelling import name_of_task, require_ordered
from corrigible.data.number_forms import ambiguous
from corrigible.data.table_encoder import Roles, TableEncoder, roles_of
from corrigible.data.table_encoding import beside_labels_in, encoded, labels_in
from corrigible.data.table_learning import learned
from corrigible.data.table_roles import naming_file, require_columns
from corrigible.errors import RecipeError
from corrigible.tasks import TaskChoice, task_named
from corrigible.types import Task

log = logging.getLogger(__name__)
TRAIN = "train.csv"


def load_table(
    folder: Path,
    split: str,
    *,
    target: str | Sequence[str],
    group: str | Sequence[str] | None = None,
    weight: str | None = None,
    exposure: str | None = None,
    query: str | None = None,
    drop: Sequence[str] = (),
    task: TaskChoice = "classes",
) -> TensorData:
    """The rows of ``<folder>/<split>.csv``, read as ``<folder>/train.csv`` is, with the task of its labels.

    How ``train.csv`` is read is learned once and kept in ``<folder>/reading.json``, with the hash of that file.

    Args:
        task: what the labels mean; see `encoder_of` for the other arguments.

    Raises:
        DataError: a file that is missing or not a table, or as ``encoder_of`` and ``encode``.
        RecipeError: an unknown task or setting.
    """
    beside: dict[str, Any] = {"weight": weight, "exposure": exposure, "query": query, "group": group, "drop": drop}
    roles = roles_of(target, task=name_of_task(task), **beside)
    encoder, blocks = _training(folder, roles, wants_rows=split == "train")
    found = _task(folder, encoder, blocks, task)
    for name, column in {"exposure": exposure, "query": query}.items():
        if column is not None and name not in found.extra:
            raise RecipeError(f"[data]: {name} is {column!r}; the task {found.name!r} has no use for it: leave it out")
    if found.name == "ordered_classes":
        require_ordered(encoder.class_names)
    if split != "train":
        del blocks
        blocks, _ = _rows(folder / f"{split}.csv", encoder, encoder.read)
    return encoded(blocks, encoder, task=found)


def folder_encoder(folder: Path, *, target: str | Sequence[str], **settings: Any) -> TableEncoder:
    """The encoder for the tables of a folder, learned from its ``train.csv``, with the settings of `encoder_of`."""
    return _training(folder, roles_of(target, **settings), wants_rows=False)[0]


def _training(folder: Path, roles: Roles, *, wants_rows: bool) -> tuple[TableEncoder, Blocks]:
    """The encoder of the training table, and if they are wanted, its cells; the file is parsed at most once."""
    path = folder / TRAIN
    kept = kept_reading(folder, roles)
    if kept is not None:
        blocks, sha256 = _rows(path, kept.encoder, kept.encoder.read) if wants_rows else ([], _hash_of(path))
        if sha256 == kept.sha256:
            return kept.encoder, blocks
        log.warning("%s has changed since its reading was kept; it is read anew", path)
    with table_text(path) as source:
        encoder, blocks = _learned(source, roles)
    keep(folder, roles, encoder, source.sha256)
    return encoder, blocks


def _learned(source: TableText, roles: Roles) -> tuple[TableEncoder, Blocks]:
    names = source.layout.names
    with naming_file(source.path):
        require_columns(names, (*roles.read, *roles.drop))
        wanted = [name for name in names if name in roles.read or roles.may_be_feature(name)]
        cells = training_cells(source, wanted, partial(_require_usable, roles))
        separator = source.layout.separator
        notes = [] if separator == "," else [f"values are separated by {SEPARATORS[separator]}"]
        encoder = learned(cells.blocks, roles, notes=notes, words=cells.words)
        if any(reading.form.decimal == "," for reading in encoder.readings):
            for name, number in cells.grouped.items():
                ambiguous(name, number)
        return encoder, cells.blocks


def _require_usable(roles: Roles, name: str, words: Words) -> None:
    """Raises DataError for a feature whose texts are too many to be categories, and no numbers."""
    if roles.may_be_feature(name) and reading_of(name, words, text="file").kind == "categories":
        require_categories(name, words)


def _rows(path: Path, encoder: TableEncoder, names: Sequence[str]) -> tuple[Blocks, str]:
    """The cells of these columns, and the hash of the file."""
    with table_text(path) as source, naming_file(path):
        require_columns(source.layout.names, names)
        weight = [encoder.weight] if encoder.weight in source.layout.names else []
        readings = [encoder.reading(name) for name in dict.fromkeys([*names, *weight]) if name is not None]
        return cells_as_read(source, readings), source.sha256


def _task(folder: Path, encoder: TableEncoder, blocks: Blocks, task: TaskChoice) -> Task:
    """The task of the training labels, which are read once more where a task needs them and they are not at hand."""
    if encoder.task == "classes" and not blocks:
        return task_named(task, torch.arange(len(encoder.class_names)))
    if not blocks:
        beside = [name for name in (encoder.exposure, encoder.query) if name is not None]
        blocks, _ = _rows(folder / TRAIN, encoder, (*encoder.targets, *beside))
    return task_named(task, labels_in(blocks, encoder), beside_labels_in(blocks, encoder))


def _hash_of(path: Path) -> str:
    with table_text(path) as source:
        source.skip()
        return source.sha256
