"""Checks of rows in memory, and of the tensors beside them."""

import difflib
from collections.abc import Mapping
from math import isfinite
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from corrigible.data.arrays import require_dense, require_scaled
from corrigible.data.protocol import Dataset, extra_of, weights_of
from corrigible.errors import DataError
from corrigible.tasks import OF_ROWS


def check_lengths(*parts: Tensor | None) -> None:
    """Raises DataError for x, y and group that do not have as many rows each."""
    given = {name: part for name, part in zip(("x", "y", "group"), parts, strict=False) if part is not None}
    lengths = [len(part) if part.ndim else 1 for part in given.values()]
    if len(set(lengths)) > 1:
        shape = tuple(given["x"].shape)
        raise DataError(
            f"{' and '.join(given)} have {' and '.join(map(str, lengths))} rows; expected the same number; x has shape "
            f"{shape}, rows first"
        )


def check_order(x: Any, y: Any) -> None:
    """Raises DataError for a frame and labels whose indices hold the same names in another order."""
    first, second = getattr(x, "index", None), getattr(y, "index", None)
    if not isinstance(first, pd.Index) or not isinstance(second, pd.Index) or len(first) != len(second):
        return
    if not first.equals(second) and first.is_unique and not len(first.difference(second)):
        raise DataError("x and y have the same index in another order; put them in one order: y = y.loc[x.index]")


def check_beside(data: Dataset) -> None:
    """Raises DataError for a ``weight`` or ``extra`` tensor that does not have one valid entry per row."""
    for name, values in {"weight": weights_of(data), **extra_of(data)}.items():
        if values is not None and (not isinstance(values, Tensor) or values.shape[:1] != (len(data),)):
            found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise DataError(f"{name} is {found}; expected a tensor with one entry for each of the {len(data)} rows")
    weight = weights_of(data)
    if weight is not None and (weight.ndim != 1 or not weight.is_floating_point() or weight.requires_grad):
        shape = tuple(weight.shape)
        raise DataError(f"weight has shape {shape} and holds {weight.dtype}; expected one float per row, no gradient")
    if weight is not None and not (bool((weight >= 0).all()) and 0 < float(weight.sum()) < float("inf")):
        raise DataError("weight holds negative or no finite numbers, or only 0; expected numbers of at least 0")


def _check_groups(group: Tensor | None, index: Tensor | None) -> None:
    if group is None:
        return
    if group.is_floating_point() or group.is_complex():
        raise DataError(
            f"group holds {group.dtype}; expected one whole number from 0 for each row: leave out rows without"
        )
    if len(group) and int(group.min()) < 0:
        row = int(group.argmin() if index is None else index[group.argmin()])
        raise DataError(
            f"row {row} has group {int(group.min())}; expected whole numbers from 0: leave out rows without a "
            "group, or give them one of their own"
        )


def check_rows(data: Any, index: Tensor | None = None) -> None:
    """Raises DataError for rows in memory that cannot be used; ``index`` are their positions in the data set."""
    require_dense(data.x, "x")
    check_lengths(data.x, data.y, data.group)
    require_scaled(data.x)
    _check_groups(data.group, index)
    if data.task.name == "classes" and (data.y.ndim != 1 or data.y.is_floating_point()):
        raise DataError(
            f"y has shape {tuple(data.y.shape)} and holds {data.y.dtype}; expected one class number per row; for a "
            "regression say what y means: TensorData(x, y, task='amounts')"
        )
    _check_extra(data, index)
    if data.tokens is not None and (data.x.ndim != 3 or data.tokens.ids.shape != data.x.shape[:2]):
        found, expected = tuple(data.tokens.ids.shape), tuple(data.x.shape)
        raise DataError(f"the words have shape {found} and x {expected}; expected (row, token) and a vector for each")
    if isfinite(_sum(data.x)):
        return  # Then all are, and a sum takes a tenth of the time.
    bad = (~torch.isfinite(data.x.flatten(1) if data.x.ndim > 1 else data.x[:, None])).any(dim=1).nonzero().flatten()
    if len(bad):
        first = int(bad[0] if index is None else index[bad[0]])
        raise DataError(f"row {first} of x is NaN or infinite ({len(bad)} such rows); fill or drop them first")


def _sum(x: Tensor) -> float:
    """The sum; by NumPy where it can, because PyTorch's idle threads keep processors from decoding images."""
    is_plain = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    return float(x.detach().numpy().sum() if is_plain else x.sum())


def check_labels(y: Tensor, extra: Mapping[str, Any]) -> None:
    """Raises DataError for labels without a row axis, or exposures and queries that do not fit them."""
    if y.ndim == 0:
        raise DataError("y is a single number; expected one label per row")
    for name in OF_ROWS:
        values = extra.get(name)
        if values is not None and (not isinstance(values, Tensor) or values.shape != (len(y),)):
            found = tuple(values.shape) if isinstance(values, Tensor) else f"a {type(values).__name__}"
            raise DataError(f"{name} is {found}; expected a tensor of one number for each of the {len(y)} rows")
        if values is not None:
            _check_values(name, values, None)


def _check_values(name: str, values: Tensor, index: Tensor | None) -> None:
    """Raises DataError for an exposure that is not above 0, or a query that is no whole number."""
    is_bad = ~values.isfinite() | ((values <= 0) if name == "exposure" else (values != values.round()))
    if bool(is_bad.any()):
        place = int(is_bad.nonzero()[0])
        row, expected = place if index is None else int(index[place]), "above 0" if name == "exposure" else "whole"
        raise DataError(f"{name} of row {row} is {float(values[place]):g}; expected finite numbers, {expected}")


def _check_extra(data: Any, index: Tensor | None) -> None:
    """Raises DataError for what the task reads beside the labels and cannot use."""
    for name in data.task.extra:
        values = data.extra.get(name)
        if values is None:
            continue
        if values.ndim != 1:
            raise DataError(f"{name} has shape {tuple(values.shape)}; expected one number per row")
        _check_values(name, values, index)


def check_names(data: Any) -> None:
    """Raises DataError if ``extra`` holds a misspelt name of what the task reads."""
    for name in data.extra:
        meant = difflib.get_close_matches(name, set(data.task.extra) - set(data.extra), n=1)
        if meant:
            raise DataError(f"extra holds {name!r}, unknown to the task {data.task.name!r}; did you mean {meant[0]!r}?")
