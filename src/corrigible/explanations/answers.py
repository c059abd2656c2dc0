"""What a model says about many rows, without gradients."""

from collections.abc import Callable
from typing import Any, SupportsIndex

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.callables import as_model
from corrigible.explanations.inputs import checked_output
from corrigible.explanations.scores import plain_score
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.forward import class_logits
from corrigible.models.modes import like_parameters, untouched

Target = SupportsIndex | tuple[SupportsIndex, SupportsIndex]
"""A class, as a number of Python or NumPy; or two, for the score of the first less that of the second."""


def answers(
    model: Callable[[Tensor], Any], x: Float[Tensor, " batch *input"], *, rows_at_once: int | None = None, seed: int = 0
) -> Float[Tensor, " batch num_classes"]:
    """The logits of these rows, on the device of x; one score per row z is read as (0, z).

    Raises:
        RecipeError: rows_at_once below 1.
        DataError, UnsupportedModelError: the model cannot run on such rows.
    """
    return answers_to(model, lambda rows: x[rows.to(x.device)], len(x), rows_at_once=rows_at_once, seed=seed)


def answers_to(
    model: Callable[[Tensor], Any],
    rows: Callable[[Int[Tensor, " some"]], Tensor],
    count: int,
    *,
    rows_at_once: int | None = None,
    seed: int = 0,
) -> Float[Tensor, " batch num_classes"]:
    """The logits of rows that are made from their positions, when their turn comes; otherwise as `answers`."""
    network, parts = as_model(model), []
    first = rows(torch.zeros(1, dtype=torch.long))
    with untouched(network, seed), torch.no_grad():
        checked_output(network, like_parameters(first, network), count)
        size = rows_at_once_of(rows_at_once, network, like_parameters(first, network))
        for some in torch.arange(count).split(size):
            # A copy: without gradients, a model that works in place would overwrite the caller's rows.
            parts.append(class_logits(network(like_parameters(rows(some), network).clone())).to(first.device))
    return torch.cat(parts)


def scores_of(
    logits: Float[Tensor, " batch num_classes"], target: Target, *, score: str = "target_logit"
) -> Float[Tensor, " batch"]:
    """The same class's score for every row.

    Raises:
        RecipeError: no score has that name, or one that is drawn anew for every pass.
        DataError: no such class.
    """
    of = plain_score(score)
    classes = torch.tensor(target, device=logits.device)
    if bool(((classes < 0) | (classes >= logits.shape[1])).any()):
        raise DataError(f"target is {target}; expected a class from 0 to {logits.shape[1] - 1}, or two of them")
    return of(logits, classes.expand(len(logits), *classes.shape))
