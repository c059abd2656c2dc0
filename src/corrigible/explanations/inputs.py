"""What the caller of `explain` gives, checked; and the class that is explained where the caller names none."""

import re
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations.features import check_columns
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.forward import class_logits
from corrigible.models.modes import like_parameters, require_separate_rows, untouched
from corrigible.types import Columns

_ABOUT_SHAPE = re.compile(r"shape|\bsizes?\b|dimension|\dD\b|channels", re.IGNORECASE)


def checked_rows(x: Any, columns: Columns | None) -> Float[Tensor, " batch *input"]:
    """The rows as a tensor of floats.

    Raises:
        DataError: no numbers, no rows, no batch axis, NaN or infinite values, or other columns than named.
    """
    if not isinstance(x, Tensor):
        array = np.asarray(x)
        if array.dtype.kind not in "fiub":
            raise DataError(f"x holds {array.dtype} values; expected numbers: encode text and categories first")
        x = torch.from_numpy(array.copy())
    rows: Tensor = x.detach().clone() if x.is_inference() else x.detach()
    rows = rows if rows.is_floating_point() else rows.float()
    if rows.ndim < 2:
        raise DataError(f"x has shape {tuple(rows.shape)}; expected (batch, …): add a batch axis to a single example")
    if rows.numel() == 0:
        raise DataError(f"x has shape {tuple(rows.shape)}, which holds nothing; expected at least one row")
    if not bool(rows.sum().isfinite()):  # Much faster than to look at every number; a sum may also overflow.
        bad = (~rows.isfinite().flatten(1)).any(dim=1).nonzero().flatten()
        if len(bad):
            what = f"row {int(bad[0])} of x is NaN or infinite ({len(bad)} such rows)"
            raise DataError(f"{what}; fill or drop them first")
    if columns is not None:
        check_columns(rows, columns)
    return rows


def num_classes_of(model: nn.Module, first: Float[Tensor, " 1 *input"], num_rows: int) -> int:
    """How many classes the model tells apart; found by running it on the first row.

    Raises:
        DataError: the model cannot run on rows of this shape.
        UnsupportedModelError: it cannot be called with one tensor, or mixes the rows of a batch.
    """
    return class_logits(checked_output(model, first, num_rows)).shape[1]


def checked_output(model: nn.Module, first: Float[Tensor, " 1 *input"], num_rows: int) -> Tensor:
    """What the model gives for the first row; logits, or a single score.

    Raises:
        DataError, UnsupportedModelError: as `num_classes_of`.
    """
    require_separate_rows(model)
    shape = f"x has shape {(num_rows, *first.shape[1:])}"
    hint = "expected the shape the model was trained on, with a batch axis also for a single example"
    try:
        with torch.no_grad():
            output: Tensor = model(first.clone())
            logits = class_logits(output)
    except TypeError as error:
        if isinstance(error, UnsupportedModelError) or "argument" not in str(error):
            raise
        raise UnsupportedModelError(
            f"the model cannot be called with one tensor ({error}); wrap it in a module that takes x alone"
        ) from error
    except (RuntimeError, ValueError, IndexError) as error:
        if not _ABOUT_SHAPE.search(str(error)) or isinstance(error, torch.OutOfMemoryError):
            raise
        raise DataError(f"{shape}, which the model cannot take ({' '.join(str(error).split())}); {hint}") from error
    if len(logits) != 1:
        raise DataError(f"{shape}; for its first row the model gave {len(logits)} rows of logits; {hint}")
    return output


def checked_classes(target: Any, num_rows: int, num_classes: int) -> Int[Tensor, " batch *contrast"]:
    """One class per row, or pairs of classes, (batch, 2): explain why the first rather than the second.

    Raises:
        DataError: as `checked_target`, for either class of a pair.
    """
    given = torch.as_tensor(target)
    if given.ndim == 2 and given.shape[1] == 2:
        return torch.stack([checked_target(of, num_rows, num_classes) for of in given.unbind(1)], dim=1)
    return checked_target(given, num_rows, num_classes)


def checked_target(target: Any, num_rows: int, num_classes: int) -> Int[Tensor, " batch"]:
    """One class per row.

    Raises:
        DataError: not whole numbers, not one per row, or no such class.
    """
    found = torch.as_tensor(target).detach()
    found = found.clone() if found.is_inference() else found
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise DataError(f"target holds {found.dtype} values; expected class numbers")
    if found.ndim == 0:
        found = found.expand(num_rows)
    if found.shape != (num_rows,):
        raise DataError(f"target has shape {tuple(found.shape)}; expected ({num_rows},): one class per row of x")
    outside = ((found < 0) | (found >= num_classes)).nonzero().flatten()
    if len(outside):
        row = int(outside[0])
        raise DataError(f"target of row {row} is {int(found[row])}; expected a class from 0 to {num_classes - 1}")
    return found.long()


def default_target(
    model: nn.Module, x: Float[Tensor, " batch *input"], output: Tensor, rows_at_once: int
) -> Int[Tensor, " batch"]:
    """The predicted class of each row; class 1, whose logit a single score is, where the model gives one.

    Args:
        output: what the model gives for one row.
    """
    if output.numel() == 1:
        return torch.ones(len(x), dtype=torch.long, device=x.device)
    with torch.no_grad():
        # A copy: without gradients, a model that works in place would overwrite the caller's rows.
        pieces = [like_parameters(piece, model).clone() for piece in x.split(rows_at_once)]
        return torch.cat([class_logits(model(piece)).argmax(dim=1) for piece in pieces]).to(x.device)


def predicted_target(
    model: nn.Module, x: Float[Tensor, " batch *input"], *, rows_at_once: int | None = None, seed: int = 0
) -> Int[Tensor, " batch"]:
    """What `explain` explains of these rows where the caller names no class, on the CPU.

    Raises:
        RecipeError: rows_at_once below 1.
        DataError, UnsupportedModelError: as `explain`.
    """
    with untouched(model, seed):
        first = like_parameters(x[:1], model)
        output = checked_output(model, first, len(x))
        return default_target(model, x, output, rows_at_once_of(rows_at_once, model, first)).cpu()


def checked_question(
    model: nn.Module, x: Any, target: Any, *, rows_at_once: int | None, columns: Columns | None = None
) -> tuple[Float[Tensor, " batch *input"], Int[Tensor, " batch *contrast"], int]:
    """The rows where the model is, the class of each or pairs of them, and how many rows to run at once.

    Raises:
        RecipeError: rows_at_once below 1.
        DataError, UnsupportedModelError: as `explain`.
    """
    with torch.no_grad():
        rows = like_parameters(checked_rows(x, columns), model)
        output = checked_output(model, rows[:1], len(rows))
        size = rows_at_once_of(rows_at_once, model, rows[:1])
    if target is None:
        return rows, default_target(model, rows, output, size), size
    return rows, checked_classes(target, len(rows), class_logits(output).shape[1]).to(rows.device), size
