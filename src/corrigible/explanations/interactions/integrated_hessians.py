"""Janizek, Sturmfels and Lee 2021, Explaining explanations: axiomatic feature interactions for deep networks.

The paper defines the interactions, of pairs and of an input with itself, as double integrals over the unit square of
functions of the product of the two coordinates. The product has density -ln t, so single integrals give the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial.legendre import legval
from numpy.typing import NDArray
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.counts import require_count
from corrigible.explanations.features import shared_by_category
from corrigible.explanations.passes import pass_over, require_gradient
from corrigible.explanations.quadrature import MOST_STEPS, gauss_legendre
from corrigible.explanations.question import Question, checked_question
from corrigible.explanations.scores import margin, score_named
from corrigible.models.forward import Score
from corrigible.models.modes import untouched
from corrigible.models.networks import network_of
from corrigible.models.nonlinear import Nonlinearities
from corrigible.models.softplus import require_no_maxima_of, smooth_activations_of
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


def integrated_hessians(
    model: nn.Module,
    x: Any,
    target: Any,
    *,
    steps: int = 50,
    baseline: Baseline = None,
    beta: float | None = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch inputs inputs"]:
    """How much each pair of a row's inputs, flattened, contributed together between the baseline and the row.

    Symmetric, in units of the score. Row i of the matrix sums to the integrated gradient of input i, and all pairs sum
    to score(x) − score(baseline), up to the quadrature's error; the diagonal holds each input's own contribution. Takes
    one backward pass per input and point, and memory for rows × inputs² numbers. The columns of a category share its
    total evenly, as in `integrated_gradients`.

    A network with ReLUs or other kinks has no informative second derivatives. It is refused unless ``beta`` is given;
    then the result is about the model with softplus in place of ReLU.

    Args:
        x: rows, (batch, …), as `explain` takes them.
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        score, task: as in `explain`; None for the task's own score.
        steps: points on each row's path, at least 1. At most ``rows_at_once`` of them are in memory at once, unless the
            result is differentiable.
        baseline: None for zeros (1/k in a category's k columns); a number, or a tensor that broadcasts to one row.
        beta: the sharpness of the softplus that replaces ReLUs, e.g. 10; see `smooth_activations_of`.

    Raises:
        RecipeError: fewer than 1 step, a beta not above 0, rows_at_once below 1, or the score ``margin``, which has
            kinks itself.
        UnsupportedModelError: the model has kinks.
        DataError: an x, target, baseline or columns that do not fit.
        NoGradientError: differentiable, but no parameter would get a gradient.
    """
    require_count("steps", steps, most=MOST_STEPS)
    if score in ("margin", margin):
        raise RecipeError("score 'margin' has kinks; expected a smooth score: give a pair of classes as the target")
    model = network_of(model)
    with untouched(model, seed):
        question = checked_question(
            model, x, target, score=score, task=task, columns=columns, seed=seed, rows_at_once=rows_at_once,
            differentiable=differentiable,
        )  # fmt: skip
        path = _Path(question, baseline_row(baseline, question.x, columns), columns)
        smooth = smooth_activations_of(beta)
        every = torch.arange(len(question.x), device=question.x.device)
        num_rows = max(1, question.rows_at_once // steps)
        parts = [_interactions(path, rows, steps, smooth) for rows in every.split(num_rows)]
        found = torch.cat(parts)
        if differentiable:
            require_gradient(model, found, "integrated_hessians")
        return found


@dataclass(frozen=True)
class _Path:
    """The straight paths from the baseline to the rows, and the score along them."""

    question: Question
    start: Float[Tensor, " *input"]
    columns: Columns | None


def _interactions(path: _Path, rows: Tensor, steps: int, smooth: Nonlinearities) -> Tensor:
    """Sums over the nodes of the weighted first and second derivatives, times row minus baseline."""
    asked = path.question.about(rows)
    x, way = asked.x, asked.x - path.start
    share, weight = (torch.tensor(values).to(x) for values in log_quadrature_of(steps))
    first = torch.zeros_like(x.flatten(1))
    second = [first] * first.shape[1]
    for place in torch.arange(len(rows) * steps, device=x.device).split(asked.rows_at_once):
        row, node = place // steps, place % steps
        points = path.start + way[row] * share[node].reshape(-1, *[1] * (x.ndim - 1))
        target = asked.target[row]
        # A row keeps its index along its path, so that a random score is the same function at all points.
        forward = pass_over(asked.model, points, target, index=asked.index[row], seed=asked.seed)
        with smooth:
            scores = score_named(asked.score, forward)(forward.outputs, target)
        require_no_maxima_of(smooth)
        gradient = forward.gradient((scores * weight[node]).sum(), forward.x).flatten(1)
        first = first.index_add(0, row, gradient if asked.differentiable else gradient.detach())
        for place_of_input, of in enumerate((gradient * share[node][:, None]).unbind(1)):
            found = forward.gradient(of.sum(), forward.x, create_graph=asked.differentiable).flatten(1)
            second[place_of_input] = second[place_of_input].index_add(0, row, found)
    way = way.flatten(1)
    found = torch.stack(second, dim=1) * way[:, :, None] * way[:, None, :] + torch.diag_embed(first * way)
    return shared_by_category(shared_by_category(found, path.columns).transpose(1, 2), path.columns).transpose(1, 2)


def log_quadrature_of(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes in (0, 1) and weights for integrals of a function times -ln t from 0 to 1.

    Exact for polynomials of a degree below ``steps``. The nodes are those of Gauss-Legendre quadrature. A weight is the
    integral of its node's interpolating polynomial, written in shifted Legendre polynomials, whose integrals against
    -ln t are 1 for degree 0, and (-1)^k / (k (k + 1)) for degree k.
    """
    nodes, weights = gauss_legendre(steps)
    degree = np.arange(steps)
    moments = np.where(degree == 0, 1.0, (-1.0) ** degree / np.maximum(degree * (degree + 1), 1))
    return nodes, weights * legval(2 * nodes - 1, (2 * degree + 1) * moments)
