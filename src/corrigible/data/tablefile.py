"""Tables kept as text in ``<folder>/train.csv`` and ``<folder>/<split>.csv``."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from corrigible.data.dataset import TensorData
from corrigible.data.labelling import name_of_task, require_ordered
from corrigible.data.table import TableEncoder, beside_labels, encode, encoder_of, labels_of
from corrigible.errors import DataError, RecipeError
from corrigible.tasks import TaskChoice, task_named


def load_table(
    folder: Path,
    split: str,
    *,
    target: str | Sequence[str],
    group: str | None = None,
    weight: str | None = None,
    exposure: str | None = None,
    query: str | None = None,
    drop: Sequence[str] = (),
    task: TaskChoice = "classes",
) -> TensorData:
    """The rows of ``<folder>/<split>.csv``, with the encoder of ``<folder>/train.csv`` and the task of its labels.

    Args:
        task: what the labels mean; see `encoder_of` for the other arguments.

    Raises:
        DataError: a file that is missing or not a table, or as ``encoder_of`` and ``encode``.
        RecipeError: an unknown task or setting.
    """
    train = read_csv(folder / "train.csv")
    beside: dict[str, Any] = {"weight": weight, "exposure": exposure, "query": query, "drop": drop}
    encoder = encoder_of(train, target=target, group=group, task=name_of_task(task), **beside)
    found = task_named(task, labels_of(train, encoder), beside_labels(train, encoder))
    for name, column in {"exposure": exposure, "query": query}.items():
        if column is not None and name not in found.extra:
            raise RecipeError(f"[data]: {name} is {column!r}; the task {found.name!r} has no use for it: leave it out")
    if found.name == "ordered_classes":
        require_ordered(encoder.class_names)
    return encode(train if split == "train" else read_csv(folder / f"{split}.csv"), encoder, task=found)


def folder_encoder(folder: Path, **named: Any) -> TableEncoder:
    """The encoder for the tables of a folder, learned from its ``train.csv``, with the settings of `encoder_of`."""
    return encoder_of(read_csv(folder / "train.csv"), **named)


def read_csv(path: Path, *, as_written: bool = False) -> pd.DataFrame:
    """The table in a comma-separated file in UTF-8 with a line of names.

    Args:
        as_written: read every cell as text, even if it is a number, empty or ``NA``.

    Raises:
        DataError: the file is missing, empty or not a table.
    """
    try:
        with warnings.catch_warnings():
            # pandas only warns when rows have more values than there are names, and drops the last ones.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            cells: dict[str, Any] = {"dtype": str, "keep_default_na": False} if as_written else {"low_memory": False}
            frame: pd.DataFrame = pd.read_csv(path, index_col=False, **cells)
            return frame
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; expected one .csv file per split, train.csv among them") from error
    except (pd.errors.EmptyDataError, pd.errors.ParserError, pd.errors.ParserWarning, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} cannot be read ({reason}); expected a line of names, then commas between values"
        ) from error
