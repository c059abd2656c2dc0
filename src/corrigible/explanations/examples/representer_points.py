"""Yeh, Kim, Yen and Ravikumar 2018, Representer point selection for explaining deep neural networks.

With a last layer at the minimum of the (weighted) mean loss + l2 · |W|², each output is a sum over training rows of
-share/(2 · l2) · (slope of the row's loss) · (similarity of the two rows before that layer).
"""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.data.dataset import all_rows, as_dataset, task_of
from corrigible.data.protocol import Dataset, weights_of
from corrigible.errors import RecipeError, TrainingDivergedError
from corrigible.explanations.examples.latent import latent_rows
from corrigible.explanations.inputs import as_model
from corrigible.models.modes import evaluating, like_parameters
from corrigible.types import Task

MOST_STEPS = 200
CLOSE_ENOUGH = 1e-4


@dataclass(frozen=True)
class RepresenterPoints:
    """What each training row adds to each output of a query."""

    values: Float[Tensor, " query row output"]
    outputs: Float[Tensor, " query output"]
    """Of the last layer that was fitted, which the values sum to."""
    distance: float
    """The largest difference between these outputs and the network's own, for the queries."""


def representer_points(model: nn.Module, data: Any, query: Any, *, l2: float = 1e-3) -> RepresenterPoints:
    """What each training row adds to each output of each query, with a last layer fitted to the training labels.

    The network up to its last linear layer stays; that layer, with its bias as the weight of a constant 1, is fitted
    again to the labels with a penalty l2 · |W|², because only at such a minimum is the sum exact. Rows with weights
    count by them.

    Args:
        data: the training rows, as `correct` takes them.
        l2: above 0; the smaller, the nearer the outputs are to the network's own, and the harder the fit.

    Raises:
        RecipeError: an ``l2`` that is not above 0.
        TrainingDivergedError: the last layer could not be fitted; choose a larger ``l2``.
        UnsupportedModelError: a network without a linear layer at its end.
    """
    if isinstance(l2, bool) or not isinstance(l2, Real) or not 0 < l2 < math.inf:
        raise RecipeError(f"l2 is {l2!r}; expected a finite number above 0")
    dataset, network = as_dataset(data), as_model(model)
    task = task_of(dataset)
    rows, asked = all_rows(dataset), as_dataset(query, task=task)
    known, new = (_with_constant(latent_rows(network, part)) for part in (dataset, asked))
    num_outputs = task.outputs(_outputs(network, all_rows(asked).x[:1])).shape[1]
    shares = _shares(dataset).to(known)
    weight = _fitted(known, rows.y.to(known.device), rows.extra, task, num_outputs=num_outputs, l2=l2, shares=shares)
    slopes = _slopes(known @ weight.T, rows.y.to(known.device), rows.extra, task)
    alpha = -slopes * shares[:, None] / (2 * l2)
    values = (new @ known.T)[:, :, None] * alpha[None]
    found = new @ weight.T
    own = task.outputs(_outputs(network, all_rows(asked).x)).double()
    return RepresenterPoints(values.cpu(), found.cpu(), float((found - own.to(found)).abs().max()))


def _with_constant(latent: Tensor) -> Float[Tensor, " row unit"]:
    return torch.cat([latent.double(), latent.new_ones(len(latent), 1).double()], dim=1)


def _outputs(network: nn.Module, x: Tensor) -> Tensor:
    with evaluating(network), torch.no_grad():
        found: Tensor = network(like_parameters(x, network).clone())
    return found


def _shares(dataset: Dataset) -> Float[Tensor, " row"]:
    """What each row counts for in the mean loss."""
    weight = weights_of(dataset)
    rows = torch.ones(len(dataset)) if weight is None else weight.cpu()
    return rows.double() / rows.double().sum()


def _slopes(outputs: Tensor, y: Tensor, extra: Any, task: Task) -> Float[Tensor, " row output"]:
    outputs = outputs.detach().requires_grad_()
    (found,) = torch.autograd.grad(task.loss(outputs, y, extra).sum(), outputs)
    return found


def _fitted(
    known: Tensor, y: Tensor, extra: Any, task: Task, *, num_outputs: int, l2: float, shares: Tensor
) -> Float[Tensor, " output unit"]:
    """The last layer at the minimum, by L-BFGS in double precision."""
    weight = torch.zeros(num_outputs, known.shape[1], dtype=known.dtype, device=known.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight], max_iter=MOST_STEPS, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        total = (task.loss(known @ weight.T, y, extra) * shares).sum() + l2 * weight.square().sum()
        total.backward()
        return total

    with torch.enable_grad():
        for _ in range(10):
            optimizer.step(objective)
        objective()
    assert weight.grad is not None
    # By how far the sum over training rows misses the weights.
    missing, size = float(weight.grad.abs().max()) / (2 * l2), float(weight.detach().abs().max())
    if not missing <= CLOSE_ENOUGH * max(size, torch.finfo(weight.dtype).tiny):
        raise TrainingDivergedError(
            f"the last layer could not be fitted: its training rows miss its weights by {missing:.2g}, which are up to "
            f"{size:.2g}; choose a larger l2 than {l2:g}"
        )
    return weight.detach()
