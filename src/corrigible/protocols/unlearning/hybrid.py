"""Forget rows in one short run: learn the kept rows, and raise the loss of forgotten ones up to a bound.

The bound is the loss that a model which never saw a row would have, as its nearest kept neighbours in latent space
tell: the mean loss that their predictions have for the row's label. A row whose neighbours are predicted its own label
hardly changes; a wrong label, or one of a class of which no row is kept, is given up as far as the neighbours are sure
of another.
"""

import math
from collections.abc import Generator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.protocols.unlearning.bounded_increment import BOUND, bounded_increment
from corrigible.protocols.unlearning.forgetting import Forgetting, with_extra
from corrigible.protocols.unlearning.like_neighbours import NEIGHBOURS, like_neighbours
from corrigible.protocols.unlearning.near_original import ORIGINAL, near_original
from corrigible.protocols.unlearning.neighbourhood import Neighbourhood, neighbourhood_of
from corrigible.training import Epoch


def hybrid(
    forgetting: Forgetting,
    *,
    epochs: int = 1,
    learning_rate: float = 2e-3,
    neighbours: int = 10,
    increment: float | None = None,
    raising: float = 1.0,
    likeness: float = 0.0,
    nearness: float = 0.0,
    layer: str | None = None,
    rows_per_step: int = 16,
) -> Generator[Epoch, None, nn.Module]:
    """A copy trained on with the loss of kept rows and a bounded increment of the loss of forgotten rows.

    The objective is the mean task loss of kept rows, plus ``raising`` × `bounded_increment`, plus ``likeness`` ×
    `like_neighbours`, both of forgotten rows, plus ``nearness`` × `near_original` of kept rows. A weight of 0 switches
    a part off.

    Args:
        neighbours: how many of the nearest kept rows are asked; 0 for none.
        increment: the most by which the loss of a forgotten row may rise, in the unit of the loss; None for as far as
            the neighbours tell.
        layer: where distances are measured; None for the inputs of the last linear layer.
        rows_per_step: forgotten rows per step.

    Raises:
        RecipeError: a weight or an increment that is below 0 or not finite, or what is missing without neighbours.
        UnsupportedModelError: as `neighbourhood_of`.
    """
    weights = {"raising": raising, "likeness": likeness, "nearness": nearness}
    for name, value in (*weights.items(), ("increment", increment or 0.0)):
        if not 0 <= value < math.inf:
            raise RecipeError(f"{name} is {value}; expected a number of at least 0")
    if not neighbours and (increment is None or likeness):
        raise RecipeError("neighbours is 0, so that nobody tells how a row is predicted; give increment, not likeness")
    if rows_per_step < 1:
        raise RecipeError(f"rows_per_step is {rows_per_step}; expected at least 1")
    asked = neighbourhood_of(forgetting, neighbours=neighbours, layer=layer) if neighbours else None
    beside = {BOUND: bounds(forgetting, asked, increment)}
    beside |= {NEIGHBOURS: asked.prediction} if asked is not None and likeness else {}
    kept = with_extra(forgetting.kept, {ORIGINAL: forgetting.outputs(forgetting.kept)}) if nearness else forgetting.kept
    parts = {bounded_increment: raising, like_neighbours: likeness, near_original: nearness}
    penalties: dict[Any, float] = {penalty: weight for penalty, weight in parts.items() if weight}
    found = forgetting.copy()
    yield from forgetting.trained(
        found,
        forgetting.batches(kept),
        beside=forgetting.stream(with_extra(forgetting.forgotten, beside), rows_per_step),
        penalties=penalties,
        epochs=epochs,
        learning_rate=learning_rate,
    )
    return found


def bounds(forgetting: Forgetting, asked: Neighbourhood | None, increment: float | None) -> Float[Tensor, " row"]:
    """The loss up to which that of each forgotten row is raised.

    Args:
        asked: whose predictions tell; None for the row's own loss and the increment.
        increment: the most by which a loss is raised; None for any.
    """
    task, rows = forgetting.task, forgetting.forgotten
    y, extra = rows.y.cpu(), {name: values.cpu() for name, values in rows.extra.items()}
    most = task.loss(forgetting.outputs(rows), y, extra) + (math.inf if increment is None else increment)
    return most if asked is None else torch.minimum(most, asked.losses(rows).to(most))
