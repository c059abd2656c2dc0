"""Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations, definition 3.1."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.counts import require_count
from corrigible.explanations.explaining import Method, attribution_of
from corrigible.explanations.quality._given import flat_of
from corrigible.explanations.question import Question, question_of
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

VALUES_AT_ONCE = 2**23
"""Most inputs of changed rows that are explained in one call."""


def max_sensitivity(
    model: Any,
    x: Any,
    target: Any,
    *,
    method: Method = "input_gradient",
    task: TaskChoice | None = None,
    explainer_settings: Mapping[str, Any] | None = None,
    radius: float = 0.1,
    samples: int = 10,
    relative: bool = True,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch"]:
    """The largest Euclidean change of the attribution when every input changes by at most ``radius``.

    It is the largest over ``samples`` draws, uniform in the cube around the row and shared by all rows, and so a lower
    bound. The explained class stays that of the original row.

    Args:
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        method: a name as in `explain`, or a function of model, x and target that gives an attribution like x.
        task: what the outputs mean, as in `explain`.
        explainer_settings: settings of the method.
        relative: divide by the length of the row's own attribution; NaN where that is 0.

    Raises:
        RecipeError: fewer than 1 sample, a radius that is not above 0, an unknown setting, or see `explain`.
        DataError: see `explain`; an attribution that is NaN or infinite.
    """
    require_count("samples", samples)
    if not radius > 0:
        raise RecipeError(f"radius is {radius}; expected a number above 0")
    settings = explainer_settings or {}
    score = settings.get("score")
    question = question_of(model, x, target, score=score, task=task, seed=seed, rows_at_once=rows_at_once)
    shared = {"task": task, "columns": columns, "rows_at_once": rows_at_once}
    explained = _explainer(question, method, settings, shared)
    original = explained(question.x, question.target)
    generator, furthest = torch.Generator().manual_seed(seed), torch.zeros(len(original), dtype=torch.float64)
    for some in torch.arange(samples).split(max(1, VALUES_AT_ONCE // original.numel())):
        moves = torch.stack([torch.rand(question.x.shape[1:], generator=generator) for _ in some]).to(question.x)
        near = (question.x + radius * (2 * moves[:, None] - 1)).flatten(0, 1)
        found = explained(near, question.target.repeat(len(some), *[1] * (question.target.ndim - 1)))
        distance = (found.reshape(len(some), *original.shape) - original).norm(dim=2)
        furthest = torch.maximum(furthest, distance.amax(dim=0))
    length = original.norm(dim=1)
    return torch.where(length > 0, furthest / length, torch.nan) if relative else furthest


def _explainer(
    question: Question, method: Method, settings: Mapping[str, Any], shared: Mapping[str, Any]
) -> Callable[[Tensor, Tensor], Tensor]:
    """A function (x, target) -> attribution, flattened to (batch, inputs)."""
    is_named = isinstance(method, str)
    of_explain = shared if is_named else {"task": shared["task"]}
    attribution: Callable[..., Tensor] = partial(
        attribution_of, method, question.model, seed=question.seed, **of_explain, **settings
    )

    def explained(x: Tensor, target: Tensor) -> Tensor:
        size = len(x) if is_named else question.rows_at_once  # For a method given by name, `explain` bounds the rows.
        pieces = zip(x.split(size), target.split(size), strict=True)
        return torch.cat([flat_of(attribution(piece, chosen)) for piece, chosen in pieces])

    return explained
