"""Rows to learn from: tensors in memory, or any map-style data set of (x, y) or (x, y, group)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.types import Columns


@runtime_checkable
class Dataset(Protocol):
    """What every data set offers; row i is (x, y) or (x, y, group)."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> tuple[Any, ...]: ...


@dataclass(frozen=True)
class TensorData:
    """A data set held in memory."""

    x: Float[Tensor, " row *input"]
    y: Int[Tensor, " row"]
    group: Int[Tensor, " row"] | None = None
    columns: Columns | None = None
    """For a table: which columns of ``x`` make up which feature."""
    class_names: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        if self.group is None:
            return self.x[row], self.y[row]
        return self.x[row], self.y[row], self.group[row]


def as_dataset(data: Any) -> Dataset:
    """A data set from ``(x, y)`` or ``(x, y, group)`` arrays, tensors or frames; a map-style data set stays as it is.

    Raises:
        DataError: no rows, arrays of different length, inputs that are not numbers, NaN or infinite inputs.
    """
    if isinstance(data, tuple) and len(data) in (2, 3):
        columns = _columns(data[0]) if isinstance(data[0], pd.DataFrame) else None
        x = torch.as_tensor(_numbers(data[0], "x"))
        y, *group = (torch.as_tensor(_numbers(part, name)).long() for part, name in zip(data[1:], ("y", "group"), strict=False))
        data = TensorData(x if x.is_floating_point() else x.float(), y, *group, columns=columns)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise DataError(f"data is a {type(data).__name__}; expected (x, y) arrays or a map-style data set of (x, y)")
    if len(data) == 0:
        raise DataError("the data set has no rows; expected at least one")
    if isinstance(data, TensorData):
        _check(data)
    return data  # type: ignore[no-any-return]


def rows_of(dataset: Dataset, index: Int[Tensor, " batch"]) -> TensorData:
    """The rows at these positions, in memory.

    Raises:
        DataError: a row that is not (x, y) or (x, y, group), or whose inputs are NaN or infinite.
    """
    if isinstance(dataset, TensorData):
        group = None if dataset.group is None else dataset.group[index]
        return TensorData(dataset.x[index], dataset.y[index], group, dataset.columns)
    rows = [dataset[row] for row in index.tolist()]
    if not all(isinstance(row, tuple | list) and len(row) in (2, 3) for row in rows):
        raise DataError(f"a row of the data set is a {type(rows[0]).__name__}; expected (x, y) or (x, y, group)")
    x = torch.stack([torch.as_tensor(row[0]) for row in rows])
    y = torch.tensor([int(row[1]) for row in rows])
    group = torch.tensor([int(row[2]) for row in rows]) if len(rows[0]) == 3 else None
    found = TensorData(x if x.is_floating_point() else x.float(), y, group, columns_of(dataset))
    _check(found, index)
    return found


def all_rows(dataset: Dataset) -> TensorData:
    """The whole data set, in memory."""
    return dataset if isinstance(dataset, TensorData) else rows_of(dataset, torch.arange(len(dataset)))


def all_labels(dataset: Dataset) -> Int[Tensor, " row"]:
    """Every row's label. A data set that has them at hand offers them in an attribute ``y``."""
    labels = getattr(dataset, "y", None)
    return all_rows(dataset).y if labels is None else torch.as_tensor(labels)


def columns_of(dataset: Dataset) -> Columns | None:
    """Which columns make up which feature, where the data set says so in an attribute ``columns``."""
    return getattr(dataset, "columns", None)


def _columns(frame: pd.DataFrame) -> Columns:
    names = tuple(map(str, frame.columns))
    return Columns(names, names, (False,) * len(names))


def _numbers(values: Any, name: str) -> Any:
    if isinstance(values, Tensor):
        return values
    array = values.to_numpy() if isinstance(values, pd.DataFrame | pd.Series) else np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {array.dtype} values; expected numbers: encode text and categories first")
    return array.astype(np.float32) if array.dtype.kind == "f" and array.dtype.itemsize != 8 else array


def _check(data: TensorData, index: Tensor | None = None) -> None:
    lengths = [len(part) for part in (data.x, data.y, data.group) if part is not None]
    if len(set(lengths)) > 1:
        raise DataError(f"x, y and group have {', '.join(map(str, lengths))} rows; expected the same number")
    bad = (~torch.isfinite(data.x.flatten(1) if data.x.ndim > 1 else data.x[:, None])).any(dim=1).nonzero().flatten()
    if len(bad):
        first = int(bad[0] if index is None else index[bad[0]])
        raise DataError(f"row {first} of x is NaN or infinite ({len(bad)} such rows); fill or drop them first")


def require_classes(y: Sequence[int] | Tensor) -> None:
    """Raises DataError when the labels hold only one class: nothing could be learned."""
    found = torch.as_tensor(y).unique()
    if len(found) < 2:
        raise DataError(f"every label is {int(found[0])}; expected at least two classes")
