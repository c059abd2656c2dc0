"""The file formats of a shard: safetensors for any data, Parquet for tables."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from corrigible.errors import DataError, RecipeError
from corrigible.files import MOST_ROWS, read_bytes
from corrigible.types import Columns

INDEX, TARGET = "index", "target"


@dataclass(frozen=True)
class Explained:
    """Rows and their attributions, on the CPU."""

    index: Int[Tensor, " row"]
    """Position of each row in its data set."""
    attribution: Float[Tensor, " row *input"]
    target: Int[Tensor, " row"]
    """The class whose score was explained."""

    def __len__(self) -> int:
        return len(self.index)


class Format(NamedTuple):
    """How a shard is written and read."""

    encode: Callable[[Explained, Columns | None], bytes]
    decode: Callable[[bytes], Explained]
    check: Callable[[Columns | None], None]
    """Raises RecipeError if such data cannot be written in this format, or a package for it is missing."""


def read_shard(path: Path, file_format: Format) -> Explained:
    """The rows in this file.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        return file_format.decode(read_bytes(path, most=MOST_ROWS, within=path.parent))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"cannot read {path} ({error}); delete it and explain the data set again") from error


def _as_safetensors(rows: Explained, columns: Columns | None) -> bytes:
    tensors = {"attribution": rows.attribution, TARGET: rows.target, INDEX: rows.index}
    encoded: bytes = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    return encoded


def _from_safetensors(content: bytes) -> Explained:
    found = load(content)
    return Explained(found[INDEX], found["attribution"], found[TARGET])


def _as_parquet(rows: Explained, columns: Columns | None) -> bytes:
    assert columns is not None
    # Parquet has no bfloat16.
    values = rows.attribution if rows.attribution.dtype == torch.float64 else rows.attribution.float()
    frame = pd.DataFrame(values.numpy(), columns=list(columns.names))
    frame.insert(0, INDEX, rows.index.numpy())
    frame.insert(1, TARGET, rows.target.numpy())
    stream = io.BytesIO()
    frame.to_parquet(stream, engine="pyarrow", index=False)
    return stream.getvalue()


def _from_parquet(content: bytes) -> Explained:
    frame = pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    index, target = (torch.from_numpy(frame.pop(name).to_numpy(copy=True)) for name in (INDEX, TARGET))
    return Explained(index, torch.from_numpy(frame.to_numpy(copy=True)), target)


def _require_table(columns: Columns | None) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise RecipeError(
            "format 'parquet' needs pyarrow, which is not installed; pip install 'corrigible[parquet]', "
            "or use format 'safetensors'"
        ) from error
    if columns is None:
        raise RecipeError("format 'parquet' needs a table with named columns; use format 'safetensors' for other data")
    names = [INDEX, TARGET, *columns.names]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise RecipeError(f"format 'parquet' needs different column names, and has {repeated!r} twice; use safetensors")


def _anything(columns: Columns | None) -> None:
    """Accept any data."""


FORMATS = {
    "safetensors": Format(_as_safetensors, _from_safetensors, _anything),
    "parquet": Format(_as_parquet, _from_parquet, _require_table),
}
