"""One call for every explainer: checked input, the right device, a bounded number of rows at once."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import NoGradientError, RecipeError
from corrigible.explanations.attribution import EXPLAINERS
from corrigible.explanations.inputs import checked_rows, checked_target, num_classes_of
from corrigible.explanations.passes import untouched
from corrigible.methods import method_named, settings_of, with_settings
from corrigible.models.forward import class_logits
from corrigible.models.modes import like_parameters
from corrigible.types import Columns

SHARED_SETTINGS = ("columns", "seed", "differentiable", "rows_at_once")
"""What `explain` fills in for every explainer that has a setting of that name."""


def explain(
    model: nn.Module,
    x: Any,
    target: Any = None,
    *,
    method: str = "integrated_gradients",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
    **settings: Any,
) -> Float[Tensor, " batch *input"]:
    """How much each input counted for the score of the target class, in the shape of x.

    The model explains itself in eval mode and is left as it was found. Neither the order of the rows nor
    ``rows_at_once`` matters, and the same seed gives the same result.

    Args:
        x: rows, (batch, …), as a tensor or array of finite numbers.
        target: the class to explain: one for all rows or one per row; None for the predicted class.
        method: a name in ``EXPLAINERS``, or ``my_module:my_explainer``.
        columns: which columns of a table make up which feature.
        differentiable: keep the graph to the model's parameters, for use in a loss.
        rows_at_once: how many rows, or points made from rows, the model runs on at once.
        settings: of the method.

    Raises:
        RecipeError: an unknown method, setting or score.
        DataError: an x or target that does not fit.
        UnsupportedModelError: the model lacks what the method needs.
        NoGradientError: differentiable, but no parameter would get a gradient.
    """
    if rows_at_once < 1:
        raise RecipeError(f"rows_at_once is {rows_at_once}; expected at least 1")
    shared = {"columns": columns, "seed": seed, "differentiable": differentiable, "rows_at_once": rows_at_once}
    explainer = _explainer(method, settings, shared)
    with untouched(model, seed):
        rows = checked_rows(x, columns)
        num_classes = num_classes_of(model, like_parameters(rows[:1], model), len(rows))
        targets = None if target is None else checked_target(target, len(rows), num_classes)
        parts = []
        for piece, chosen in _pieces(model, rows, targets, rows_at_once):
            part = explainer(model, piece, chosen)
            if part.shape != piece.shape:
                raise RecipeError(f"explainer {method!r} gave shape {tuple(part.shape)}; expected {tuple(piece.shape)}")
            parts.append((part if differentiable else part.detach()).to(rows))
        attribution = torch.cat(parts)
        if differentiable:
            _require_gradient(model, attribution, method)
    return attribution


def _pieces(
    model: nn.Module, rows: Tensor, targets: Tensor | None, rows_at_once: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """A bounded number of rows at a time where the model is, each with the class to explain."""
    for start in range(0, len(rows), rows_at_once):
        these = slice(start, start + rows_at_once)
        piece = like_parameters(rows[these], model)
        yield piece, _predicted(model, piece) if targets is None else targets[these].to(piece.device)


def _explainer(name: str, settings: dict[str, Any], shared: dict[str, Any]) -> Callable[..., Tensor]:
    """The explainer with its settings, and those of the shared ones that it has."""
    explainer = method_named(name, EXPLAINERS, "explainer")
    takes = settings_of(explainer)
    chosen = settings | {key: value for key, value in shared.items() if key in takes}
    return with_settings(explainer, chosen, f"explainer {name!r}")


def _predicted(model: nn.Module, x: Tensor) -> Tensor:
    # A copy: without gradients, a model that works in place would overwrite the caller's rows.
    with torch.no_grad():
        return class_logits(model(x.clone())).argmax(dim=1)


def _require_gradient(model: nn.Module, attribution: Tensor, method: str) -> None:
    parameters = [p for p in model.parameters() if p.requires_grad]
    reached: tuple[Tensor | None, ...] = ()
    if parameters and attribution.requires_grad:
        reached = torch.autograd.grad(attribution.sum(), parameters, retain_graph=True, allow_unused=True)
    if all(gradient is None for gradient in reached):
        raise NoGradientError(
            f"the result of {method!r} reaches none of the model's {len(parameters)} trainable parameters: "
            "as a loss it would teach nothing; unfreeze parameters, or look for detach() and no_grad() in the model"
        )
