"""`explain` calls any explainer: it checks the input, moves it to the model's device and bounds the rows at once."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.arrays import columns_in
from corrigible.data.trained_columns import require_columns
from corrigible.errors import RecipeError
from corrigible.explanations.attribution import EXPLAINERS as BY_GRADIENT
from corrigible.explanations.coalitions import EXPLAINERS as BY_COALITION
from corrigible.explanations.inputs import as_model, checked_output, checked_rows, checked_target, contrast_of
from corrigible.explanations.passes import require_finite, require_gradient
from corrigible.explanations.question import Question, default_target
from corrigible.explanations.reached import require_reached
from corrigible.explanations.reading import AtPlaces, Meaning, meaning_of, require_sound_answers
from corrigible.explanations.slopes import warn_of_other_slopes
from corrigible.methods import method_named, name_of, settings_of, with_settings
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.modes import like_parameters, untouched
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

EXPLAINERS = {**BY_GRADIENT, **BY_COALITION}
"""Every explainer by name: those that follow gradients and those that look at coalitions of inputs."""
FOLLOWING_GRADIENTS = [f for name, f in BY_GRADIENT.items() if name != "deep_lift"]
"""Explainers whose 0 may mean that no gradient leads to an input; deep_lift refuses what does not sum up."""
WITHOUT_SUMS = ("input_gradient", "gradient_x_input", "smooth_grad", "expected_gradients")
"""Explainers by the gradient of the score, whose sums do not show that a part of the score has none."""
Method = str | Callable[..., Tensor]
"""A name that `explain` takes, or any (model, x, target, *, settings) -> like x."""
SHARED_SETTINGS = ("columns", "seed", "differentiable", "rows_at_once")
"""What `explain` fills in for every explainer that has a setting of that name."""


def explain(
    model: Callable[[Tensor], Any],
    x: Any,
    target: Any = None,
    *,
    against: Any = None,
    method: Method = "integrated_gradients",
    task: TaskChoice | None = None,
    at: Any = None,
    columns: Columns | None = None,
    seed: Any = 0,
    differentiable: bool = False,
    rows_at_once: int | None = None,
    **settings: Any,
) -> Float[Tensor, " batch *input"]:
    """How much each input contributed to the score of the target, in the shape of x.

    The model runs in eval mode and is left as it was found. The result does not depend on the order of the rows or on
    ``rows_at_once``, and the same seed gives the same result.

    Args:
        model: a network, or for methods that only look at scores, any function of the rows that gives scores.
        x: rows, (batch, …), as a tensor, array or frame of finite numbers.
        target: the class to explain, or for other tasks the number of the output, label or quantile: one for all rows
            or one per row. None for the predicted class, or for what the task explains by default.
        against: a class, or one per row: explain why the target rather than this one.
        method: a name in ``EXPLAINERS``, ``my_module:my_explainer``, or (model, x, target, *, settings) -> like x.
        task: what the outputs mean: "classes", or the `Task` of a data set. None for classes if the model has several
            outputs; a single output is then explained itself.
        at: for outputs with places, (batch, class, *space): a boolean mask of the shape of the places, or the position
            of one, at which the class scores are averaged.
        columns: which columns of a table make up which feature.
        differentiable: keep the graph to the model's parameters, for use in a loss.
        rows_at_once: how many rows, or points made from rows, the model runs on at once; None for as many as keep its
            activations in the processor's cache.
        settings: settings of the method; ``score`` may also be a function (outputs, target) -> one number per row.

    Raises:
        RecipeError: an unknown method, setting, score or task.
        DataError: an x or target that does not fit, or a result that is NaN or infinite.
        UnsupportedModelError: the model lacks what the method needs.
        NoGradientError: differentiable, but no parameter would get a gradient; or no gradient leads to inputs that
            change the score.
    """
    model, seed = _network(model, x, at), whole_number("seed", seed)
    with untouched(model, seed):
        rows = checked_rows(x, columns)
        first = like_parameters(rows[:1], model)
        meaning = meaning_of(task, checked_output(model, first, len(rows)), settings.get("score"))
        settings |= _score_setting(method, settings.get("score"), meaning)
        rows_at_once = rows_at_once_of(rows_at_once, model, first)
        require_sound_answers(meaning, model, rows, rows_at_once)
        shared = {"columns": columns, "seed": seed, "differentiable": differentiable, "rows_at_once": rows_at_once}
        explainer = _explainer(method, settings, shared)
        targets = _targets(model, rows, target, against, meaning=meaning, rows_at_once=rows_at_once)
        parts = []
        for piece, chosen in _pieces(model, rows, targets, explainer, rows_at_once):
            part = explainer(model, piece, chosen)
            _require_shape(part, piece, method)
            wider = torch.promote_types(part.dtype, rows.dtype)
            parts.append((part if differentiable else part.detach()).to(rows.device, wider))
        attribution = torch.cat(parts) if len(parts) > 1 else parts[0]
        require_finite(attribution, name_of(method))
        if explainer.func in FOLLOWING_GRADIENTS:
            _check_gradients(_asked(model, rows, targets, explainer, rows_at_once), attribution, method, columns)
        if differentiable:
            require_gradient(model, attribution, name_of(method))
    return attribution


def _network(model: Any, x: Any, at: Any) -> nn.Module:
    """The model as a network, at some places of its output; DataError if it was corrected on other columns."""
    network = as_model(model)
    require_columns(network, columns_in(x))
    return network if at is None else AtPlaces(network, at)


def explainer_of(method: Method) -> Callable[..., Tensor]:
    """The explainer's function.

    Raises:
        RecipeError: no explainer has that name.
    """
    return method_named(method, EXPLAINERS, "explainer")


def attribution_of(
    method: Method,
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    seed: int = 0,
    **settings: Any,
) -> Float[Tensor, " batch *input"]:
    """Like `explain`, with targets of shape (batch, 2) for pairs of classes."""
    wanted: dict[str, Any] = (
        {"target": target} if target.ndim == 1 else {"target": target[:, 0], "against": target[:, 1]}
    )
    return explain(model, x, **wanted, method=method, seed=seed, **settings)


def _pieces(
    model: nn.Module, rows: Tensor, targets: Tensor, explainer: "partial[Tensor]", rows_at_once: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows on the model's device, with their targets: all at once if the explainer bounds its memory itself."""
    size = len(rows) if "rows_at_once" in explainer.keywords else rows_at_once
    for start in range(0, len(rows), size):
        # A copy: an explainer may work in place, and nothing of the caller's is changed.
        piece = like_parameters(rows[start : start + size], model).clone()
        yield piece, targets[start : start + size].to(piece.device)


def _explainer(method: Method, settings: dict[str, Any], shared: dict[str, Any]) -> "partial[Tensor]":
    """The explainer with its settings, and the shared settings that it takes."""
    explainer = explainer_of(method)
    takes = settings_of(explainer)
    chosen = settings | {key: value for key, value in shared.items() if key in takes}
    return with_settings(explainer, chosen, f"explainer {name_of(method)!r}")


def _asked(
    model: nn.Module, rows: Tensor, targets: Tensor, explainer: "partial[Tensor]", rows_at_once: int
) -> Question:
    given = {"score": settings_of(explainer.func)["score"], **explainer.keywords}
    x = like_parameters(rows, model)
    return Question(model, x, targets.to(x.device), given["score"], given["seed"], rows_at_once)


def _check_gradients(asked: Question, attribution: Tensor, method: Method, columns: Columns | None) -> None:
    """Raises NoGradientError where a 0 was not measured; logs a warning if gradients are not how the score changes."""
    require_reached(asked, attribution, name_of(method), columns)
    if name_of(method) in WITHOUT_SUMS:
        warn_of_other_slopes(asked, name_of(method))


def _require_shape(part: Tensor, piece: Tensor, method: Method) -> None:
    if part.shape != piece.shape:
        shapes = f"{tuple(part.shape)}; expected that of its rows, {tuple(piece.shape)}"
        raise RecipeError(f"explainer {name_of(method)!r} gave shape {shapes}")


def _score_setting(method: Method, chosen: Any, meaning: Meaning) -> dict[str, Any]:
    """The setting ``score`` of the method, resolved for the task; empty if there is nothing to resolve."""
    if "score" not in settings_of(explainer_of(method)):
        if chosen is None and meaning.task.score == "target_value":
            raise RecipeError(
                f"explainer {name_of(method)!r} has no setting score, but outputs of the task {meaning.task.name!r} "
                "are not what is explained; give the explainer a setting score, a function (outputs, target)"
            )
        return {}
    has_own = chosen is None and meaning.task.name == "classes"
    return {} if has_own else {"score": meaning.score}


def _targets(
    model: nn.Module, rows: Tensor, target: Any, against: Any, *, meaning: Meaning, rows_at_once: int
) -> Tensor:
    """The target of each row, (batch,), or with ``against`` the two of them, (batch, 2)."""
    if target is None:
        chosen = default_target(model, rows, meaning, rows_at_once)
    else:
        chosen = checked_target(target, len(rows), meaning.num_targets).to(rows.device)
    if against is None:
        return chosen
    other = checked_target(against, len(rows), meaning.num_targets, name="against").to(rows.device)
    return contrast_of(chosen, other)
