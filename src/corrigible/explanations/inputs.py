"""Checks of the arguments of `explain`: the model, the rows and the target."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.arrays import frame_of, inputs
from corrigible.errors import CorrigibleError, DataError, UnsupportedModelError
from corrigible.explanations.features import check_columns
from corrigible.models.first_row import watched
from corrigible.models.modes import require_separate_rows
from corrigible.models.networks import network_of, plain_function
from corrigible.outputs import as_outputs, class_logits, scores_in
from corrigible.printable import plural
from corrigible.tensors import is_half
from corrigible.types import Columns

ABOUT_SHAPE = re.compile(r"shape|\bsizes?\b|dimension|\dD\b|channels", re.IGNORECASE)

_JOINED = (
    "join its inputs into one x and wrap it in a module that takes x alone: class Joined(torch.nn.Sequential): forward "
    "= lambda self, x: self[0](x[:, :3], x[:, 3:]); then pass Joined(model)"
)


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
        return scores.to(x.device, torch.float32) if is_half(scores.dtype) else scores.to(x.device)


def as_model(function: Any) -> nn.Module:
    """The network itself, without wrappers, or any other function of the rows wrapped as a model.

    Raises:
        UnsupportedModelError: it cannot be called, or its parameters have no values yet.
    """
    is_of_rows = callable(function) and not isinstance(function, nn.Module | type) and not hasattr(function, "predict")
    if is_of_rows and not isinstance(function, torch.export.ExportedProgram):
        return FromFunction(plain_function(function))
    try:
        network: nn.Module = network_of(function)
        return network
    except UnsupportedModelError as error:
        if isinstance(function, nn.Module | type | Mapping):
            raise
        raise UnsupportedModelError(f"{error}, or a function of x: lambda x: scores of its rows") from None


def _as_tensor(found: Any) -> Tensor:
    if not hasattr(found, "__array__") and (not isinstance(found, list | tuple) or _holds_tensors(found)):
        return scores_in(found)
    try:
        return torch.as_tensor(np.asarray(found))
    except (TypeError, ValueError) as error:
        kind = type(found).__name__
        raise UnsupportedModelError(f"the function gives a {kind}; expected scores as a tensor or an array") from error


def _holds_tensors(values: Sequence[Any]) -> bool:
    return any(isinstance(value, Tensor) and value.ndim > 0 for value in values)


def _no_gradient(function: Callable[..., Any]) -> UnsupportedModelError:
    name = getattr(function, "__qualname__", type(function).__name__)
    return UnsupportedModelError(
        f"{name} gives scores without a gradient; choose a method that only looks at scores: "
        "kernel_shap, permutation_shapley, exact_shapley, lime, feature_ablation or occlusion; "
        "for counterfactuals nearest_unlike"
    )


def checked_rows(x: Any, columns: Columns | None) -> Float[Tensor, " batch *input"]:
    """The rows as a tensor of floats.

    Raises:
        DataError: not numbers, no rows, no batch axis, NaN or infinite values, or columns of another table.
    """
    if frame_of(x) is None and hasattr(x, "x") and hasattr(x, "y"):
        raise DataError(f"x is a {type(x).__name__}, rows with their labels; expected the rows alone: pass data.x")
    if isinstance(x, tuple | list) and _holds_tensors(x):
        raise DataError(
            f"x is a {type(x).__name__} of {len(x)} tensors; expected one tensor: torch.stack(x) if each is a row; for "
            f"a model of several inputs, {_JOINED}"
        )
    x = inputs(x)
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


def num_classes_of(model: nn.Module, first: Float[Tensor, " 1 *input"], num_rows: int) -> int:
    """The number of classes of the model, found by running it on the first row.

    Raises:
        DataError: the model cannot run on rows of this shape.
        UnsupportedModelError: it cannot be called with one tensor, or mixes the rows of a batch.
    """
    return class_logits(checked_output(model, first, num_rows)).shape[1]


def checked_output(
    model: nn.Module, first: Float[Tensor, " 1 *input"], num_rows: int, *, any_precision: bool = False
) -> Tensor:
    """The model's scores for the first row: (1, output), or a single number.

    Args:
        any_precision: also accept a model that computes in half precision, which is enough to measure its predictions.

    Raises:
        DataError, UnsupportedModelError: as `num_classes_of`.
    """
    require_separate_rows(model)
    shape = f"x has shape {(num_rows, *first.shape[1:])}"
    hint = "expected the shape the model was trained on, with a batch axis also for a single example"
    one_for_each = "expected one for each row of x: the shape the model was trained on, and no mean over rows"
    try:
        with torch.no_grad(), watched(model) as seen:
            scores = scores_in(model(first.clone()))
            outputs = as_outputs(scores)
    except TypeError as error:
        if isinstance(error, UnsupportedModelError) or "argument" not in str(error):
            raise
        raise UnsupportedModelError(f"the model cannot be called with one tensor ({error}); {_JOINED}") from error
    except (RuntimeError, ValueError, IndexError) as error:
        seen.require_no_tokens(error)
        if isinstance(error, CorrigibleError | torch.OutOfMemoryError) or not ABOUT_SHAPE.search(str(error)):
            raise
        raise DataError(f"{shape}, which the model cannot take ({' '.join(str(error).split())}); {hint}") from error
    if len(outputs) != 1:
        raise DataError(
            f"{shape}; for its first row the model gave {plural(len(outputs), 'row')} of outputs; {one_for_each}"
        )
    if not any_precision:
        seen.require_precision()
    return scores


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
