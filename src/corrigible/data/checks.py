"""Checks of rows in memory, and of the tensors beside them."""

from typing import Any

import torch
from torch import Tensor

from corrigible.data.protocol import Dataset, extra_of, weights_of
from corrigible.errors import DataError


def check_lengths(*parts: Tensor | None) -> None:
    """Raises DataError for x, y and group that do not have as many rows each."""
    lengths = [len(part) for part in parts if part is not None]
    if len(set(lengths)) > 1:
        raise DataError(f"x, y and group have {', '.join(map(str, lengths))} rows; expected the same number")


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


def check_rows(data: Any, index: Tensor | None = None) -> None:
    """Raises DataError for rows in memory that cannot be used; ``index`` are their positions in the data set."""
    check_lengths(data.x, data.y, data.group)
    if data.task.name == "classes" and (data.y.ndim != 1 or data.y.is_floating_point()):
        raise DataError(
            f"y has shape {tuple(data.y.shape)} and holds {data.y.dtype}; expected one class number per row; for a "
            "regression say what y means: TensorData(x, y, task='amounts')"
        )
    exposure = data.extra.get("exposure")
    if exposure is not None and not (exposure.ndim == 1 and bool(((exposure > 0) & exposure.isfinite()).all())):
        raise DataError(f"exposure has shape {tuple(exposure.shape)}; expected one finite number above 0 per row")
    if data.tokens is not None and (data.x.ndim != 3 or data.tokens.ids.shape != data.x.shape[:2]):
        found, expected = tuple(data.tokens.ids.shape), tuple(data.x.shape)
        raise DataError(f"the words have shape {found} and x {expected}; expected (row, token) and a vector for each")
    bad = (~torch.isfinite(data.x.flatten(1) if data.x.ndim > 1 else data.x[:, None])).any(dim=1).nonzero().flatten()
    if len(bad):
        first = int(bad[0] if index is None else index[bad[0]])
        raise DataError(f"row {first} of x is NaN or infinite ({len(bad)} such rows); fill or drop them first")
