"""What tasks share: checks of outputs and labels, strata of amounts, numbers in words."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.outputs import as_outputs, described

NUM_STRATA = 4
"""Parts of equal size that amounts are divided into, so that each part counts equally."""


def plain_number(value: float) -> str:
    """The number with four significant digits, or all before the point; with an exponent only if it is tiny or huge."""
    if value == 0 or not 1e-4 <= abs(value) < 1e12:
        return f"{value:.4g}"
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    written = f"{value:,.{decimals}f}"
    return written.rstrip("0").rstrip(".") if decimals else written


def with_unit(unit: str) -> Callable[[float], str]:
    """A function that writes an amount with its unit."""
    return lambda value: plain_number(value) + (f" {unit}" if unit else "")


def numbers_per_row(num_outputs: int, task: str) -> Callable[[Any], Tensor]:
    """A function that checks a raw output and returns it as (batch, num_outputs)."""

    def outputs(output: Any) -> Float[Tensor, " batch output"]:
        found = as_outputs(output)
        if found.shape[1] != num_outputs:
            raise UnsupportedModelError(
                f"the model gives {described(output)}; the task {task!r} expects (batch, {num_outputs}): "
                "give its last layer as many outputs; if these are other rows than the training rows, give them their "
                "task: TensorData(x, y, task=train.task)"
            )
        return found

    return outputs


def amounts_per_row(y: Any, task: str, *, least: float = -torch.inf, is_open: bool = False) -> Float[Tensor, " row"]:
    """The labels as floats.

    Raises:
        DataError: another shape, NaN or infinite labels, labels below ``least``, or equal to it if it ``is_open``.
    """
    given = torch.as_tensor(y)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1 or given.is_complex():
        raise DataError(f"y has shape {tuple(given.shape)}; the task {task!r} expects one number per row")
    found = given if given.is_floating_point() else given.float()
    if not given.is_floating_point() and bool((found.to(given.dtype) != given).any()):
        found = given.double()  # Whole numbers that are too large for 32 bits.
    if not bool(found.isfinite().all()):
        row = int((~found.isfinite()).nonzero()[0])
        raise DataError(f"y of row {row} is {float(found[row])}; expected finite numbers: drop rows without a label")
    is_bad = found <= least if is_open else found < least
    if bool(is_bad.any()):
        expected = f"{'above' if is_open else 'of at least'} {least:g}"
        raise DataError(f"y holds {float(found[is_bad][0]):g}; the task {task!r} expects numbers {expected}")
    return found


def spread_of(y: Float[Tensor, " row"]) -> float:
    """The standard deviation of the labels; 1 if they are all equal."""
    return 1.0 if bool((y == y[0]).all()) else float(y.double().std(correction=0))


def quantiles_of(y: Float[Tensor, " row"], levels: Sequence[float]) -> Float[Tensor, " level"]:
    """The quantiles of the labels at these levels, of any number of rows."""
    return torch.from_numpy(np.quantile(y.detach().cpu().double().numpy(), list(levels)))


def strata_at(y: Float[Tensor, " row"]) -> Callable[[Tensor], Tensor]:
    """A function that says in which part of the labels a label lies: quarters, or fewer if many labels are equal."""
    cuts = quantiles_of(y, [part / NUM_STRATA for part in range(1, NUM_STRATA)]).unique()
    cuts = cuts[cuts < y.cpu().double().max()]

    def strata(labels: Tensor) -> Int[Tensor, " row"]:
        return torch.bucketize(labels.cpu().double().contiguous(), cuts)

    return strata


def clipped(values: Tensor) -> Tensor:
    """Values below -1 or above 1 become -1 or 1."""
    return values.clamp(-1.0, 1.0)


def first_output(outputs: Float[Tensor, " batch output"]) -> Int[Tensor, " batch"]:
    """0 for each row: the first number of the output is explained."""
    return outputs.new_zeros(len(outputs), dtype=torch.long)
