"""How far rows are from rows of data that have the wanted answer, and how far is usual among those."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.counterfactuals.schema import Schema

AT_ONCE = 4096
"""Rows whose distances to all others are in memory at once."""
EQUAL = 1e-2
"""Rows nearer than this are the same: distances by float32 tell no more."""


@dataclass(frozen=True)
class Neighbourhood:
    """Rows of data with the wanted answer, as points whose distances are Euclidean."""

    points: Float[Tensor, " row column"]
    scale: Float[Tensor, " column"]
    bound: float
    """The distance to the nearest other row that a share of the rows keeps within."""

    def distance(self, x: Float[Tensor, " some column"]) -> Float[np.ndarray, " some"]:
        """How far each row is from the nearest of the data: 1 for a standard deviation, or another category."""
        found = [torch.cdist(part, self.points).amin(dim=1) for part in scaled(x, self.scale).split(AT_ONCE)]
        return np.asarray(torch.cat(found).double().numpy())


def neighbourhood(x: Float[Tensor, " row column"], scale: Float[Tensor, " column"], quantile: float) -> Neighbourhood:
    """The neighbourhood of these rows, which all have the wanted answer; two rows are needed for a bound above 0."""
    points = scaled(x, scale)
    bound = float(distance_to_others(points, points).quantile(quantile)) if len(points) > 1 else 0.0
    return Neighbourhood(points, scale, bound)


def distance_to_others(
    points: Float[Tensor, " some column"], others: Float[Tensor, " row column"]
) -> Float[Tensor, " some"]:
    """The distance of each point to the nearest one that does not equal it; infinite where all do."""
    found = []
    for part in points.split(AT_ONCE):
        away = torch.cdist(part, others)
        found.append(away.masked_fill(away < EQUAL, torch.inf).amin(dim=1))
    return torch.cat(found)


def scaled(x: Float[Tensor, " row column"], scale: Float[Tensor, " column"]) -> Float[Tensor, " row column"]:
    """The rows as points."""
    return x.detach().cpu().float() * scale


def column_scales(x: Float[Tensor, " row column"], schema: Schema) -> Float[Tensor, " column"]:
    """What each column is multiplied by: one over its standard deviation, for one-hot columns √½."""
    rows = x.detach().cpu().double()
    scale = torch.ones(rows.shape[1])
    for feature in schema.features:
        if feature.is_category:
            scale[list(feature.places)] = 0.5**0.5
        for place in () if feature.is_category else feature.places:
            sd = float(rows[:, place].std(correction=0))
            scale[place] = 1 / sd if sd > 0 else 1.0
    return scale
