"""Checks of the arguments of `explain`: the model, the rows and the target."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from corrigible.errors import CorrigibleError, DataError, UnsupportedModelError
from corrigible.explanations.features import check_columns
from corrigible.models.modes import require_separate_rows
from corrigible.outputs import as_outputs, class_logits
from corrigible.types import Columns

_ABOUT_SHAPE = re.compile(r"shape|\bsizes?\b|dimension|\dD\b|channels", re.IGNORECASE)


class FromFunction(nn.Module):
    """A function of the rows as a model without parameters.

    The function gets a tensor and gives one score per row, or one per row and class, as a tensor or an array.
    """

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        wants_gradient = x.requires_grad and torch.is_grad_enabled()
        try:
            found = self.function(x)
        except RuntimeError as error:
            if wants_gradient and "requires grad" in str(error):
                raise _no_gradient(self.function) from error
            raise
        scores = found if isinstance(found, Tensor) else _as_tensor(found)
        if wants_gradient and not scores.requires_grad:
            raise _no_gradient(self.function)
        return scores.to(x.device) if scores.is_floating_point() else scores.to(x)


def as_model(function: Any) -> nn.Module:
    """The network itself, or any other function of the rows wrapped as a model.

    Raises:
        UnsupportedModelError: it cannot be called.
    """
    if isinstance(function, nn.Module):
        return function
    if not callable(function):
        raise UnsupportedModelError(f"the model is a {type(function).__name__}; expected a network or a function of x")
    return FromFunction(function)


def _as_tensor(found: Any) -> Tensor:
    try:
        return torch.as_tensor(np.asarray(found))
    except (TypeError, ValueError) as error:
        kind = type(found).__name__
        raise UnsupportedModelError(f"the function gives a {kind}; expected scores as a tensor or an array") from error


def _no_gradient(function: Callable[..., Any]) -> UnsupportedModelError:
    name = getattr(function, "__qualname__", type(function).__name__)
    return UnsupportedModelError(
        f"{name} gives scores without a gradient; choose a method that only looks at scores: "
        "kernel_shap, permutation_shapley, exact_shapley, lime, feature_ablation or occlusion"
    )


def checked_rows(x: Any, columns: Columns | None) -> Float[Tensor, " batch *input"]:
    """The rows as a tensor of floats.

    Raises:
        DataError: not numbers, no rows, no batch axis, NaN or infinite values, or columns of another table.
    """
    if hasattr(x, "x") and hasattr(x, "y"):
        raise DataError(f"x is a {type(x).__name__}, rows with their labels; expected the rows alone: pass data.x")
    if not isinstance(x, Tensor):
        array = _as_array(x)
        if array.dtype.kind not in "fiub":
            raise DataError(f"x holds {array.dtype} values; expected numbers: encode text and categories first")
        x = torch.from_numpy(array.copy())
    rows: Tensor = x.detach().clone() if x.is_inference() else x.detach()
    rows = rows if rows.is_floating_point() else rows.float()
    if rows.ndim < 2:
        raise DataError(f"x has shape {tuple(rows.shape)}; expected (batch, …): add a batch axis to a single example")
    if rows.numel() == 0:
        raise DataError(f"x has shape {tuple(rows.shape)}, which holds nothing; expected at least one row")
    if not bool(rows.sum().isfinite()):  # Much faster than looking at every number; a sum may also overflow.
        bad = (~rows.isfinite().flatten(1)).any(dim=1).nonzero().flatten()
        if len(bad):
            what = f"row {int(bad[0])} of x is NaN or infinite ({len(bad)} such rows)"
            raise DataError(f"{what}; fill or drop them first")
    if columns is not None:
        check_columns(rows, columns)
    return rows


def _as_array(x: Any) -> NDArray[Any]:
    try:
        return np.asarray(x)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"x is a {type(x).__name__} whose rows differ in shape; expected an array, (batch, …); of data with "
            "labels, pass the rows alone, such as data.x"
        ) from error


def num_classes_of(model: nn.Module, first: Float[Tensor, " 1 *input"], num_rows: int) -> int:
    """The number of classes of the model, found by running it on the first row.

    Raises:
        DataError: the model cannot run on rows of this shape.
        UnsupportedModelError: it cannot be called with one tensor, or mixes the rows of a batch.
    """
    return class_logits(checked_output(model, first, num_rows)).shape[1]


def checked_output(model: nn.Module, first: Float[Tensor, " 1 *input"], num_rows: int) -> Tensor:
    """The model's output for the first row: (1, output), or a single number.

    Raises:
        DataError, UnsupportedModelError: as `num_classes_of`.
    """
    require_separate_rows(model)
    shape = f"x has shape {(num_rows, *first.shape[1:])}"
    hint = "expected the shape the model was trained on, with a batch axis also for a single example"
    try:
        with torch.no_grad():
            output: Tensor = model(first.clone())
            outputs = as_outputs(output)
    except TypeError as error:
        if isinstance(error, UnsupportedModelError) or "argument" not in str(error):
            raise
        raise UnsupportedModelError(
            f"the model cannot be called with one tensor ({error}); wrap it in a module that takes x alone"
        ) from error
    except (RuntimeError, ValueError, IndexError) as error:
        if isinstance(error, CorrigibleError | torch.OutOfMemoryError) or not _ABOUT_SHAPE.search(str(error)):
            raise
        raise DataError(f"{shape}, which the model cannot take ({' '.join(str(error).split())}); {hint}") from error
    if len(outputs) != 1:
        raise DataError(f"{shape}; for its first row the model gave {len(outputs)} rows of outputs; {hint}")
    return output


def checked_classes(target: Any, num_rows: int, num_classes: int | None) -> Int[Tensor, " batch *contrast"]:
    """One class per row, or pairs of classes, (batch, 2): explain why the first rather than the second.

    Raises:
        DataError: as `checked_target`, for either class of a pair.
    """
    if isinstance(target, str):
        return checked_target(target, num_rows, num_classes)
    given = torch.as_tensor(target)
    if given.ndim == 2 and given.shape[1] == 2:
        return contrast_of(*(checked_target(of, num_rows, num_classes) for of in given.unbind(1)))
    return checked_target(given, num_rows, num_classes)


def contrast_of(target: Int[Tensor, " batch"], against: Int[Tensor, " batch"]) -> Int[Tensor, " batch 2"]:
    """The targets as pairs: why the first rather than the second.

    Raises:
        DataError: both are the same in a row, about which the question has no answer.
    """
    same = (target == against).nonzero().flatten()
    if len(same):
        row, count = int(same[0]), len(same)
        raise DataError(
            f"target and against are both {int(target[row])} in row {row} ({count} such rows of {len(target)}); "
            "expected two different ones: leave such rows out, or name another"
        )
    return torch.stack([target, against], dim=1)


def checked_target(
    target: Any, num_rows: int, num_classes: int | None, *, name: str = "target"
) -> Int[Tensor, " batch"]:
    """One class per row, or one number of another output; None for ``num_classes`` if any is possible.

    Raises:
        DataError: not whole numbers, not one per row, or no such class.
    """
    try:
        found = torch.as_tensor(target).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name} is {target!r}; expected whole numbers, one for all rows or one per row") from error
    found = found.clone() if found.is_inference() else found
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise DataError(f"{name} holds {found.dtype} values; expected whole numbers: of a class, label or level")
    if found.ndim == 0:
        found = found.expand(num_rows)
    if found.shape != (num_rows,):
        raise DataError(f"{name} has shape {tuple(found.shape)}; expected ({num_rows},): one class per row of x")
    largest = int(found.max()) if num_classes is None else num_classes - 1
    outside = ((found < 0) | (found > largest)).nonzero().flatten()
    if len(outside):
        row = int(outside[0])
        raise DataError(f"{name} of row {row} is {int(found[row])}; expected {choices(largest)}")
    return found.long()


def choices(largest: int) -> str:
    """The targets that there are, in words."""
    if largest:
        return f"0 to {largest}"
    return "0 or None, the model's only output; for a classifier with a single logit say task='classes'"
