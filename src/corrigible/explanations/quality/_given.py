"""Checks of the attributions and marks that are given, and their flat form, (batch, inputs)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.errors import DataError


def flat_of(attribution: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch inputs"]:
    """The attribution flattened to (batch, inputs), on the CPU in float64.

    Raises:
        DataError: no batch axis, no inputs, NaN or infinite values.
    """
    if attribution.ndim < 2 or attribution[:1].numel() == 0:
        raise DataError(f"the attribution has shape {tuple(attribution.shape)}; expected (batch, …) with inputs")
    flat: Tensor = attribution.detach().cpu().double().flatten(1)
    bad = (~flat.isfinite()).any(dim=1).nonzero().flatten()
    if len(bad):
        raise DataError(
            f"the attribution of row {int(bad[0])} is NaN or infinite ({len(bad)} such rows); "
            "leave such rows out, or look for the cause in the model's output on them"
        )
    return flat


def sizes_of(attribution: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch inputs"]:
    """The sizes |attribution|, flattened and checked as in `flat_of`."""
    return flat_of(attribution).abs()


def pair_of(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two attributions of the same rows, flattened and checked as in `flat_of`; DataError if their shapes differ."""
    require_same_shape_of(first, second.shape, "the other attribution")
    return flat_of(first), flat_of(second)


def require_same_shape_of(attribution: Tensor, shape: tuple[int, ...], other: str) -> None:
    """Raises DataError if the attribution has another shape."""
    if tuple(attribution.shape) != tuple(shape):
        raise DataError(f"the attribution has shape {tuple(attribution.shape)}; {other} has {tuple(shape)}")


def marked_of(relevant: Bool[Tensor, " ..."], attribution: Float[Tensor, " batch *input"]) -> Tensor:
    """The marks flattened to (batch, inputs): True where the input should matter.

    Args:
        relevant: in the shape of the attribution, or one that broadcasts to it: one mask for all rows or all channels.

    Raises:
        DataError: not booleans, or another shape.
    """
    if relevant.dtype != torch.bool:
        raise DataError(f"relevant holds {relevant.dtype} values; expected booleans")
    try:
        return relevant.cpu().expand(attribution.shape).flatten(1)
    except RuntimeError as error:
        found, expected = tuple(relevant.shape), tuple(attribution.shape)
        raise DataError(f"relevant has shape {found}; expected one that broadcasts to {expected}") from error


def are_some(marked: Bool[Tensor, " batch inputs"]) -> Bool[Tensor, " batch"]:
    """True on rows that have marked and unmarked inputs: otherwise no attribution could hit or miss."""
    return marked.any(dim=1) & ~marked.all(dim=1)
