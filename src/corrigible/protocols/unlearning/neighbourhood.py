"""What the nearest kept rows of forgotten rows are predicted, by Mahalanobis distance in latent space.

Lee et al. 2018, A simple unified framework for detecting out-of-distribution samples and adversarial attacks, measure
distances in latent space so: by the covariance within classes. A model that never saw a row knows of it only what rows
near it tell. So what its nearest kept rows are predicted is an estimate of what such a model would predict.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, strata_of
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations.concepts import pooled_activations
from corrigible.models.predictive import all_outputs
from corrigible.protocols.baselines.last_layer_retraining import last_layer_inputs
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.types import Task

SHRINKAGE = 0.1
"""Share of the mean variance, the same in all directions, in the covariance; few rows determine no full covariance."""
ROWS_AT_ONCE = 256


class Neighbourhood(NamedTuple):
    """The nearest kept rows of each forgotten row, and what the model gives for the kept rows."""

    nearest: Int[Tensor, " row near"]
    outputs: Float[Tensor, " kept output"]
    task: Task

    @property
    def prediction(self) -> Float[Tensor, " row output"]:
        """For each forgotten row the outputs whose prediction is the mean over its neighbours."""
        return self.task.combined(self.outputs[self.nearest.T])

    def losses(self, rows: TensorData) -> Float[Tensor, " row"]:
        """The loss that the predictions of its neighbours have on average for the label of each forgotten row."""
        y, extra = rows.y.cpu(), {name: values.cpu() for name, values in rows.extra.items()}
        of_each = [self.task.loss(self.outputs[near], y, extra) for near in self.nearest.T]
        return torch.stack(of_each).mean(dim=0)


def neighbourhood_of(forgetting: Forgetting, *, neighbours: int, layer: str | None = None) -> Neighbourhood:
    """The nearest kept rows of each forgotten row.

    Args:
        neighbours: how many kept rows; all, if there are fewer.
        layer: in whose outputs distances are measured; None for the inputs of the last linear layer.

    Raises:
        RecipeError: fewer than one neighbour.
        UnsupportedModelError: no such layer, or without one a model that does not end in a linear layer.
    """
    if neighbours < 1:
        raise RecipeError(f"neighbours is {neighbours}; expected at least 1")
    task = forgetting.task
    kept, outputs = latent(forgetting.model, forgetting.kept, layer, task)
    forgotten, _ = latent(forgetting.model, forgetting.forgotten, layer, task)
    whitened = whitening(kept, strata_of(forgetting.kept))
    nearest = nearest_rows(forgotten @ whitened, kept @ whitened, min(neighbours, len(kept)))
    return Neighbourhood(nearest, outputs, task)


def latent(
    model: nn.Module, rows: TensorData, layer: str | None, task: Task
) -> tuple[Float[Tensor, " row unit"], Float[Tensor, " row output"]]:
    """Where the rows lie in latent space, in float64, and the model's outputs for them.

    Args:
        layer: whose outputs are taken, of a convolution their means over places; None for the inputs of the last
            linear layer.

    Raises:
        UnsupportedModelError: as `neighbourhood_of`.
    """
    if layer is not None:
        found = pooled_activations(model, rows.x, layer=layer)
        return found.flatten(1).double(), all_outputs(model, rows.x, task=task)
    try:
        last, entered = last_layer_inputs(model, rows, torch.arange(len(rows)))
    except UnsupportedModelError as error:
        raise UnsupportedModelError(
            "the model's output is not that of a linear layer, in whose inputs distances are measured; name another "
            "layer=…, or ask no neighbours: neighbours=0, increment=1.0"
        ) from error
    with torch.no_grad():
        outputs = task.outputs(last(entered.to(last.weight)).cpu())
    return entered.flatten(1).double(), outputs


def whitening(latent: Float[Tensor, " row unit"], strata: Int[Tensor, " row"]) -> Float[Tensor, " unit unit"]:
    """The matrix W for which the Euclidean distance of u W and v W is the Mahalanobis distance of u and v.

    The covariance is that within strata, pooled, with a tenth of the mean variance in all directions.
    """
    kinds, places = strata.unique(return_inverse=True)
    sums = torch.zeros(len(kinds), latent.shape[1], dtype=latent.dtype).index_add_(0, places, latent)
    within = latent - (sums / places.bincount()[:, None])[places]
    covariance = within.T @ within / len(latent)
    mean_variance = float(covariance.diagonal().mean()) or 1.0
    eye = torch.eye(len(covariance), dtype=latent.dtype)
    root = torch.linalg.cholesky((1 - SHRINKAGE) * covariance + SHRINKAGE * mean_variance * eye)
    # With covariance = L Lᵀ the distance is |L⁻¹ (u - v)|, and the rows are multiplied from the right.
    inverse: Tensor = torch.linalg.solve_triangular(root, eye, upper=False)
    return inverse.T


def nearest_rows(
    points: Float[Tensor, " point unit"], rows: Float[Tensor, " row unit"], count: int
) -> Int[Tensor, " point near"]:
    """Positions of the rows that are nearest to each point, by Euclidean distance, the nearest first."""
    return torch.cat(
        [torch.cdist(part, rows).topk(count, dim=1, largest=False).indices for part in points.split(ROWS_AT_ONCE)]
    )
