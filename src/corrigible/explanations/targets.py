"""The class that is explained, where the caller names none."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.chunks import rows_at_once_of
from corrigible.explanations.inputs import checked_classes, checked_output, checked_rows
from corrigible.explanations.passes import untouched
from corrigible.models.forward import class_logits
from corrigible.models.modes import like_parameters
from corrigible.types import Columns


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
