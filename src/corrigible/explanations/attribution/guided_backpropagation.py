"""Springenberg, Dosovitskiy, Brox and Riedmiller 2015, Striving for simplicity: the all convolutional net.

Section 3.4, guided backpropagation.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.attribution._hidden_rectifiers import HiddenRectifiers
from corrigible.explanations.passes import pass_over
from corrigible.explanations.scores import score_named
from corrigible.models.centring import centred
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched
from corrigible.models.nonlinear import Backward, Call, Nonlinearities
from corrigible.types import Columns


def guided_backpropagation_of(
    forward: Forward,
    rectifiers: Nonlinearities,
    target: Int[Tensor, " batch *contrast"],
    *,
    score: str | Score = "target_logit",
    create_graph: bool = True,
) -> Float[Tensor, " batch *input"]:
    """The guided gradient in a pass that was made by `guided_pass_of`, centred over the columns of each category."""
    scores = score_named(score, forward)(forward.outputs, target).sum()
    with rectifiers.replacing():
        return centred(forward.gradient(scores, forward.x, create_graph=create_graph), forward.batch.columns)


def guided_backpropagation(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
) -> Float[Tensor, " batch *input"]:
    """Gradient of the score with negative gradients set to 0 at every ReLU: it shows what would raise the score.

    ReLUs may be layers, functions or in place; ReLU6, hard tanh and clamping from 0 on, a threshold of 0 with value 0
    and a leaky ReLU of slope 0 count as ReLUs. Functions that cut nothing off at 0 pass gradients unchanged, such as
    GELU or a leaky ReLU. What may be a ReLU in a form that cannot be guided is refused: values times, or chosen by, a
    comparison of such values (``x * (x > 0)``, ``torch.where(x > 0, x, 0)``), a maximum or minimum with 0, bounds of 0
    in tensors, `abs`, a custom `torch.autograd.Function`, compiled code. The result is centred over the columns of each
    category, as in `input_gradient`.

    Raises:
        UnsupportedModelError: no ReLU ran, or something that may be one cannot be guided.
    """
    with untouched(model, seed):
        forward, rectifiers = guided_pass_of(model, x, target, columns=columns, seed=seed)
        return guided_backpropagation_of(forward, rectifiers, target, score=score, create_graph=differentiable)


def guided_pass_of(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    columns: Columns | None = None,
    seed: int,
) -> tuple[Forward, Nonlinearities]:
    """A pass through the model, and the context in which its gradients are guided.

    Raises:
        UnsupportedModelError: no ReLU ran, or something that may be one cannot be guided.
    """
    ran = []

    def guided(call: Call) -> tuple[Tensor, Backward | None]:
        found, bounds = call.on(call.x), _bounds(call)
        if bounds is None:
            return found, None
        ran.append(call.name)
        is_open = (found > bounds[0]) & (found < bounds[1])
        return found, lambda gradient: gradient.relu() * is_open

    hidden = HiddenRectifiers()
    rectifiers = Nonlinearities(guided, hidden)
    forward = pass_over(model, x, target, columns=columns, seed=seed, nonlinearities=rectifiers)
    hidden.starts_from(forward.x)
    hidden.require_none(forward.outputs)
    if not ran:
        raise UnsupportedModelError(
            "no ReLU ran in this model, and without one guided backpropagation is the plain gradient: "
            "choose input_gradient"
        )
    return forward, rectifiers


def _bounds(call: Call) -> tuple[float, float] | None:
    """The range of outputs in which a rectifier passes its input on; None for other functions."""
    if call.name in ("relu", "relu6"):
        return 0.0, 6.0 if call.name == "relu6" else torch.inf
    if call.name not in _BOUND_NAMES:
        return None
    names = _BOUND_NAMES[call.name]
    given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    if call.name in _CUTS:
        return (0.0, torch.inf) if all(given.get(name) == 0 for name in names) else None
    high = given.get(names[1], 1.0 if call.name == "hardtanh" else None)
    return (0.0, torch.inf if high is None else float(high)) if given.get(names[0]) == 0 else None


_CUTS = {"threshold": ("threshold", "value"), "leaky_relu": ("negative_slope",)}
"""Functions that are a ReLU where all these arguments are 0."""
_BOUND_NAMES = {
    **_CUTS,
    "hardtanh": ("min_val", "max_val"),
    **dict.fromkeys(("clamp", "clip", "clamp_min"), ("min", "max")),
}
