"""Explaining with a method that is given by name or as a function."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError
from corrigible.explanations.explaining import EXPLAINERS, explain
from corrigible.explanations.inputs import checked_question
from corrigible.methods import method_named, settings_of, with_settings
from corrigible.models.forward import class_logits
from corrigible.models.modes import untouched

Method = str | Callable[..., Tensor]
"""A name that `explain` takes, or any (model, x, target, *, settings) -> like x."""


def name_of(method: Method) -> str:
    """The method's name, for results and messages."""
    if isinstance(method, partial):
        return name_of(method.func)
    return method if isinstance(method, str) else getattr(method, "__name__", type(method).__name__)


def explainer_of(method: Method) -> Callable[..., Tensor]:
    """The function itself.

    Raises:
        RecipeError: no explainer has that name.
    """
    return method_named(method, EXPLAINERS, "explainer") if isinstance(method, str) else method


def attribution_of(
    method: Method,
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    seed: int = 0,
    **settings: Any,
) -> Float[Tensor, " batch *input"]:
    """What the method gives for these rows, without a graph.

    Raises:
        RecipeError: an unknown method or setting.
        DataError: the result has not the shape of x.
    """
    if isinstance(method, str):
        wanted: dict[str, Any] = (
            {"target": target} if target.ndim == 1 else {"target": target[:, 0], "against": target[:, 1]}
        )
        return explain(model, x, **wanted, method=method, seed=seed, **settings)
    seeded = {"seed": seed} if "seed" in settings_of(method) else {}
    explainer = with_settings(method, settings | seeded, f"explainer {name_of(method)!r}")
    with untouched(model, seed):
        found: Tensor = explainer(model, x, target).detach()
    if found.shape != x.shape:
        raise DataError(
            f"explainer {name_of(method)!r} gave shape {tuple(found.shape)}; expected that of x, {tuple(x.shape)}"
        )
    return found


def rows_and_target(
    model: nn.Module, x: Any, target: Any, *, seed: int = 0
) -> tuple[Float[Tensor, " batch *input"], Int[Tensor, " batch *contrast"]]:
    """The rows where the model is, with the class to explain; None as in `explain`, pairs for a contrast.

    Raises:
        DataError: an x or target that does not fit the model.
        UnsupportedModelError: a model that cannot be explained.
    """
    with untouched(model, seed):
        rows, chosen, _ = checked_question(model, x, target, rows_at_once=None)
    return rows, chosen


def logits_of(model: nn.Module, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch num_classes"]:
    """The logits in eval mode, without a graph."""
    with untouched(model, 0), torch.no_grad():
        # A copy: a model may work on its input in place.
        return class_logits(model(x.clone()))
