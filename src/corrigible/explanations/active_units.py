"""Which units of a layer are active, and whether classes use units of their own."""

from itertools import combinations
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError
from corrigible.explanations.inputs import checked_rows
from corrigible.explanations.passes import pass_over
from corrigible.models.batch_size import rows_at_once_of
from corrigible.models.hidden_units import per_unit
from corrigible.models.modes import like_parameters, untouched
from corrigible.models.networks import network_of

ACTIVE = 0.05
"""A unit is active on a row if its absolute activation is above this share of that row's largest in the layer."""
OFTEN = 0.5
"""A class uses the units that are active on more than this share of its rows."""


def active_units(
    model: nn.Module, x: Any, *, layer: str, rows_at_once: int | None = None
) -> Bool[Tensor, " batch unit"]:
    """True where a unit of the layer is active: above 5 % of the row's largest absolute activation in that layer.

    A channel's activation is the mean absolute one over its positions. `.sum(dim=1)` gives the active units of each
    prediction.

    Args:
        x: rows, (batch, …), as `explain` takes them.
        layer: name of the layer, as in ``model.named_modules()``; an activation function, or what follows it.

    Raises:
        DataError: an x or rows_at_once that does not fit.
        UnsupportedModelError: no such layer ran, or the next one overwrites its output in place.
    """
    model, found = network_of(model), []
    with untouched(model, 0):
        x = like_parameters(checked_rows(x, None), model)
        for rows in x.split(rows_at_once_of(rows_at_once, model, x[:1])):
            forward = pass_over(model, rows, torch.zeros(len(rows), dtype=torch.long, device=rows.device))
            magnitude = per_unit(forward.activation(layer).detach().abs())
            found.append(magnitude > ACTIVE * magnitude.amax(dim=1, keepdim=True))
    return torch.cat(found)


def active_unit_overlap(active: Bool[Tensor, " batch unit"], y: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
    """How far classes share units: the mean over pairs of classes of the shared share of the units that either uses.

    It is the Jaccard index, from 0 (each class has units of its own) to 1. A class uses the units that are active on
    more than half of its rows; two classes that use none share none.

    Raises:
        DataError: rows of fewer than two classes.
    """
    used = [active[y == label].double().mean(dim=0) > OFTEN for label in y.unique()]
    if len(used) < 2:
        raise DataError(f"the rows are of {len(used)} class; expected rows of at least two classes")
    shares = [(one & other).sum() / (one | other).sum().clamp_min(1) for one, other in combinations(used, 2)]
    return torch.stack(shares).double().mean()
