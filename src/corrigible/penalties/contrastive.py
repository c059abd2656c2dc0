"""Hadsell, Chopra and LeCun 2006, Dimensionality reduction by learning an invariant mapping: the contrastive loss, here
of the activations in each layer.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.explanations.marks.shares import directions, negligible
from corrigible.models.forward import Forward
from corrigible.models.hidden_units import hidden_layers, per_unit
from corrigible.types import Batch


@declared(rows="labelled", looks_at="layers")
def contrastive(
    forward: Forward,
    batch: Batch,
    *,
    layers: Sequence[str] | None = None,
    distance: Literal["cosine", "euclidean"] = "cosine",
    margin: float = 1.0,
) -> Float[Tensor, ""]:
    """How differently rows of one label activate a layer's units, plus how alike rows of different labels do.

    The mean squared distance between rows alike in label, plus the mean of (margin - distance)² over unlike rows that
    are closer than the margin, averaged over layers. For labels that are not classes, alike are rows of the same part
    of the labels (`Task.strata`). With one label in the batch only the first mean counts. It takes all pairs of rows:
    memory and time grow with the square of the batch.

    Args:
        layers: names of layers; None for all activation functions that are layers of their own.
        distance: "cosine", 1 - the cosine between the activations of two rows, from 0 to 2; or "euclidean", their
            distance divided by the root mean square length of the layer's activations.
        margin: above 0. At 1 by the cosine, unlike rows may activate no unit together.

    Raises:
        RecipeError: a margin that is not above 0.
        UnsupportedModelError: no such layer ran, or the next one overwrites its output in place.
    """
    if not 0 < margin < float("inf"):
        raise RecipeError(f"margin is {margin}; expected a number above 0")
    label = forward.task.strata(batch.y).to(forward.x.device)
    alike = label[:, None] == label[None]
    squares = _squared_cosine_distance if distance == "cosine" else _squared_euclidean_distance
    found = []
    for layer in hidden_layers(forward, layers):
        apart = squares(per_unit(forward.activation(layer)))
        found.append(_mean(apart, alike) + _mean((margin - _root(apart)).clamp_min(0).square(), ~alike))
    return torch.stack(found).mean()


def _squared_cosine_distance(activation: Float[Tensor, " batch unit"]) -> Float[Tensor, " batch batch"]:
    """The cosine with a row that activates nothing counts as 0."""
    direction = directions(activation)
    return (1 - direction @ direction.T).square()


def _squared_euclidean_distance(activation: Float[Tensor, " batch unit"]) -> Float[Tensor, " batch batch"]:
    size = activation.square().sum(dim=1)
    scale = size.mean()
    is_something = scale > negligible(scale.dtype)
    squares = (size[:, None] + size[None] - 2 * activation @ activation.T).clamp_min(0)
    return squares * is_something / scale.where(is_something, 1.0)


def _root(squares: Tensor) -> Tensor:
    """The root, with gradients of 0 where it is 0, because there it is infinitely steep."""
    return squares.where(squares > 0, 1.0).sqrt() * (squares > 0)


def _mean(values: Float[Tensor, " batch batch"], counts: Bool[Tensor, " batch batch"]) -> Float[Tensor, ""]:
    """The mean over the pairs that count; 0 where there is none."""
    return (values * counts).sum() / counts.sum().clamp_min(1)
