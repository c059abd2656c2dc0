"""Zhao, Kurmanji, Bărbulescu, Triantafillou and Triantafillou 2024, What makes unlearning hard and what to do about it.

Rows that a model has learned by heart are forgotten otherwise than rows that others tell anyway. So rows are divided
by how far they were memorised, and forgotten part by part, the least memorised first (RUM, section 6). Memorisation as
Feldman 2020 defines it takes many models without each row; here it is estimated from one: by how much likelier the
model finds a row's label than its nearest kept neighbours tell.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.protocols.unlearning.neighbourhood import neighbourhood_of

NEIGHBOURS = 10


def memorisation(forgetting: Forgetting, *, layer: str | None = None) -> Float[Tensor, " row"]:
    """How far each forgotten row was memorised: the mean loss by its neighbours' predictions minus the model's own.

    Args:
        layer: as `neighbourhood_of` takes it.
    """
    rows, task = forgetting.forgotten, forgetting.task
    y, extra = rows.y.cpu(), {name: values.cpu() for name, values in rows.extra.items()}
    told = neighbourhood_of(forgetting, neighbours=NEIGHBOURS, layer=layer).losses(rows)
    return told - task.loss(forgetting.outputs(rows), y, extra)


def parts_by_memorisation(forgetting: Forgetting, parts: int) -> list[Int[Tensor, " row"]]:
    """Positions of the forgotten rows in parts of about equal size, the least memorised first.

    Raises:
        RecipeError: fewer than one part, or more parts than rows.
    """
    if not 1 <= parts <= len(forgetting.forgotten):
        raise RecipeError(f"parts is {parts}; expected 1 to {len(forgetting.forgotten)}, the number of forgotten rows")
    if parts == 1:
        return [torch.arange(len(forgetting.forgotten))]
    return [part.sort().values for part in memorisation(forgetting).argsort(stable=True).tensor_split(parts)]
