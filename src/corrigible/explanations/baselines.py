"""The input that stands for "nothing here"."""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import DataError

Baseline = float | int | Tensor | None
"""None for zeros, a number for every input, or a tensor that broadcasts to the shape of one row."""


def baseline_row(baseline: Baseline, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " *input"]:
    """The baseline in the shape of one row of ``x``.

    Raises:
        DataError: no numbers, a tensor that does not broadcast to one row, or a baseline that is NaN or infinite.
    """
    try:
        value = torch.as_tensor(0.0 if baseline is None else baseline).detach().to(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"the baseline is {baseline!r}; expected a number, or one per input") from error
    if not bool(value.isfinite().all()):
        raise DataError("the baseline is NaN or infinite; give finite numbers")
    try:
        return value.expand(x.shape[1:])
    except RuntimeError as error:
        found, expected = tuple(value.shape), tuple(x.shape[1:])
        raise DataError(
            f"the baseline has shape {found}; expected one that broadcasts to one row, {expected}"
        ) from error
