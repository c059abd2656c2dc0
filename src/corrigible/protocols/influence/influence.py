"""Koh and Liang 2017, Understanding black-box predictions via influence functions, and ways to compute them.

With R the objective that was minimised, H its Hessian and l the loss of a query, leaving out a row's loss lᵢ, which
counts sᵢ, changes the weights by sᵢ H⁻¹ ∇lᵢ and the query's loss by sᵢ ∇l · H⁻¹ ∇lᵢ, to first order.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.errors import RecipeError, unknown
from corrigible.explanations.examples.nearest_examples import nearest_examples
from corrigible.explanations.examples.row_gradients import row_gradients, rows_in_memory
from corrigible.models.bayes.last_layer import last_linear
from corrigible.models.kinks import kinks_of
from corrigible.models.modes import untouched
from corrigible.models.networks import network_of
from corrigible.objective import PenaltySettings
from corrigible.protocols.influence.asked import Asked, asked_of
from corrigible.protocols.influence.curvature import Curvature, require_curvature
from corrigible.protocols.influence.doubts import about_kinks, doubts, with_doubtful_values
from corrigible.protocols.influence.ek_fac import ek_fac_inverse
from corrigible.protocols.influence.influenced import Influence
from corrigible.protocols.influence.inverses import Inverse, checked_damping, exact_inverse, iterative_inverse
from corrigible.protocols.influence.learned import Learned
from corrigible.protocols.influence.replay import Taught, replayed, require_same_end, slopes_by_factors
from corrigible.protocols.schedule import Schedule

Inverting = Callable[[Learned, Curvature, float | None], Inverse]


def influence(
    model: nn.Module,
    data: Any,
    query: Any,
    *,
    method: str = "exact",
    curvature: str = "hessian",
    damping: float | None = None,
    penalties: PenaltySettings | None = None,
    feedback: Any = None,
    schedule: Schedule | None = None,
    start: nn.Module | None = None,
    nearest: int | None = None,
    seed: Any = 0,
) -> Influence:
    """By how much the loss of each query would change if each training row were left out, in units of the loss.

    Positive: without the row the loss would be larger, so the row helps. A row is left out of the label loss; what the
    other rows count for, and penalties, stay. The model is left as it is, and runs in eval mode, except with "replay".

    Args:
        model: the trained network.
        data: the rows it was trained on, as `correct` takes them.
        query: rows with labels to ask about, as ``data``; or a function of the model that gives a loss, or several, as
            a tensor with a gradient.
        method: "exact": by the inverse of the whole Hessian, for at most 5,000 trainable weights.
            "conjugate_gradients": the same for more weights. "ek_fac": by an approximation of the Gauss-Newton matrix,
            layer by layer, for label losses alone. "last_layer": exact, as if all other layers were fixed.
            "gradient_similarity": products of gradients, without a Hessian and not in units of the loss. "replay":
            through the training run itself, which needs ``schedule`` and ``start`` and assumes no minimum.
        curvature: "hessian", or "gauss_newton", which has no negative eigenvalue.
        damping: added to the eigenvalues; None for what brings the smallest to a hundredth of the largest.
        penalties: those that the model was corrected with, as `correct` takes them, with weights that are numbers.
        feedback: what the penalties learned from, as it was given to `correct`.
        schedule: how the model was trained: its label loss and weight decay count; None for the task's loss alone. With
            feedback its steps are careful unless it names others, as in `correct`.
        start: for "replay", the network before it was trained.
        nearest: compute only this many training rows for each query, its nearest in latent space (FastIF, Guo et al.
            2021); the others are NaN.
        seed: of the training run.

    Raises:
        RecipeError: an unknown method or setting.
        TrainingDivergedError: a query of whose influences none is finite.
        UnsupportedModelError: too many weights for "exact", or a task that compares rows.
        FeedbackError: penalties of reviewed rows without feedback.
    """
    if method not in NAMES:
        raise RecipeError(unknown("influence method", str(method), NAMES))
    require_curvature(curvature)
    damping = checked_damping(damping)
    if nearest is not None:
        whole_number("nearest", nearest, 1)
    how: dict[str, Any] = {"penalties": penalties, "feedback": feedback, "schedule": schedule, "seed": seed}
    asked = asked_of(model, data, query, **how)
    if method == "replay":
        return with_doubtful_values(_replay(asked, start, schedule, nearest), None)
    with untouched(asked.learned.network, asked.seed):
        chosen = _chosen(asked, nearest)
        return with_doubtful_values(METHODS[method](asked, chosen, curvature, damping), chosen)


def _chosen(asked: Asked, nearest: int | None) -> Tensor | None:
    """The positions of each query's nearest training rows; None for all rows."""
    if nearest is None:
        return None
    if asked.rows is None:
        raise RecipeError("nearest is about rows, and the query is a function; leave out nearest")
    return nearest_examples(asked.learned.network, asked.learned.dataset, asked.rows, n=nearest)[0]


def _by_curvature(
    name: str, inverting: Inverting
) -> Callable[[Asked, Tensor | None, Curvature, float | None], Influence]:
    def found(asked: Asked, chosen: Tensor | None, curvature: Curvature, damping: float | None) -> Influence:
        learned = asked.learned
        inverse = inverting(learned, curvature, damping)
        values, size = products(learned, inverse.solve(asked.gradients()), chosen)
        gradient_norm = float(learned.gradient().norm())
        answer = Influence(
            values,
            name,
            damping=inverse.damping,
            smallest_eigenvalue=inverse.smallest_eigenvalue,
            gradient_norm=gradient_norm,
            relative_gradient_norm=gradient_norm / size if size else None,
            kinks=kinks_of(learned.network, learned.batch(learned.index[:8]).x),
            residual=None if inverse.residual is None else inverse.residual(),
        )
        return replace(answer, warnings=doubts(answer, inverse, learned))

    return found


def products(
    learned: Learned, solved: Float[Tensor, " query weight"], chosen: Tensor | None
) -> tuple[Float[Tensor, " query row"], float]:
    """What each row's gradient gives in these directions, by what the row counts, and the root mean square gradient."""
    index = learned.index if chosen is None else chosen.unique()
    values = torch.full((len(solved), len(learned.dataset)), torch.nan, dtype=solved.dtype)
    squares = 0.0
    for part in rows_in_memory(index, learned.weights.count):
        gradients = row_gradients(learned.network, learned.weights, learned.batch(part), loss=learned.loss)
        values[:, part] = (solved @ gradients.T * learned.row_shares[part.to(solved.device)]).cpu()
        squares += float(gradients.double().square().sum())
    if chosen is not None:
        is_chosen = torch.zeros_like(values, dtype=torch.bool).scatter_(1, chosen, True)
        values = values.masked_fill(~is_chosen, torch.nan)
    return values, (squares / max(len(index), 1)) ** 0.5


def _last_layer(asked: Asked, chosen: Tensor | None, curvature: Curvature, damping: float | None) -> Influence:
    last = asked.learned.network.get_submodule(last_linear(asked.learned.network))
    asked.learned.network.requires_grad_(False)
    last.requires_grad_(True)
    return _by_curvature("last_layer", exact_inverse)(asked, chosen, curvature, damping)


def _gradient_similarity(asked: Asked, chosen: Tensor | None, curvature: Curvature, damping: float | None) -> Influence:
    values, _ = products(asked.learned, asked.gradients(), chosen)
    return Influence(values, "gradient_similarity", unit="gradient product")


INVERSES: Mapping[str, Inverting] = {
    "exact": exact_inverse,
    "conjugate_gradients": iterative_inverse,
    "ek_fac": ek_fac_inverse,
}


def inverting(method: Any) -> Inverting:
    """How a method divides by the curvature.

    Raises:
        RecipeError: a method that does not.
    """
    if not isinstance(method, str) or method not in INVERSES:
        raise RecipeError(unknown("method", str(method), INVERSES))
    return INVERSES[method]


METHODS: Mapping[str, Callable[[Asked, Tensor | None, Curvature, float | None], Influence]] = {
    **{name: _by_curvature(name, inverse) for name, inverse in INVERSES.items()},
    "last_layer": _last_layer,
    "gradient_similarity": _gradient_similarity,
}
NAMES = (*METHODS, "replay")


def _replay(asked: Asked, start: nn.Module | None, schedule: Schedule | None, nearest: int | None) -> Influence:
    """Minus the derivative by each row's factor, from 1 to 0."""
    if start is None or schedule is None:
        raise RecipeError("'replay' runs the training again; give schedule=… and start=…, the network before training")
    if nearest is not None:
        raise RecipeError("'replay' costs the same for all rows as for some; leave out nearest")
    learned = asked.learned
    taught = Taught(
        network_of(start), learned.dataset, schedule, asked.seed, learned.terms, learned.marks, step=asked.step
    )
    run = replayed(taught)
    difference = require_same_end(run, learned.theta)
    with untouched(learned.network, asked.seed):
        slopes = asked.gradients()
        kinks = kinks_of(learned.network, learned.batch(learned.index[:8]).x)
    values = -slopes_by_factors(run, slopes, len(learned.dataset))
    return Influence(values.cpu(), "replay", kinks=kinks, difference=difference, warnings=about_kinks(kinks))
