"""Rows of data that have the wanted answer: those near each row, and how near to each other they usually are."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.explanations.counterfactuals.plausible import (
    Neighbourhood,
    column_scales,
    distance_to_others,
    neighbourhood,
    scaled,
)
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.wishes import Wish

MOST_ROWS = 2000
FIXED = 3.0
"""How much more the features that cannot change count where near rows are sought."""


class Data(NamedTuple):
    """Rows of data with what the model answers."""

    x: Float[Tensor, " row column"]
    values: Float[np.ndarray, " row feature"]
    outputs: Float[Tensor, " row output"]


class Near(NamedTuple):
    """What is known of the rows of data with the wanted answer."""

    kinds: dict[int, Neighbourhood]
    """By the kind of wish, see `Wish.kinds`; none where no row of data has the answer."""
    values: Float[np.ndarray, " row near feature"]
    """The rows of data nearest to each row; NaN where there are too few."""
    usual: Float[np.ndarray, " row"]
    """How far from such rows a result may be: as most are from each other, or as the row itself is from any data."""


def drawn(x: Float[Tensor, " row column"], seed: int, most: int | None = None) -> Float[Tensor, " row column"]:
    """The rows, or so many of them as are looked at, ``MOST_ROWS`` unless others are named."""
    most = most or MOST_ROWS
    return x if len(x) <= most else x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:most]]


def near_rows(
    x: Float[Tensor, " row column"],
    data: Data | None,
    wish: Wish,
    schema: Schema,
    *,
    num: int,
    quantile: float,
    fixed: Collection[str] = (),
) -> Near:
    """For each row the ``num`` nearest rows of data that have the answer it should get.

    Args:
        quantile: of the distances among rows of data with the wanted answer, what is usual.
        fixed: features that cannot change, in which near rows should agree first.
    """
    values, usual = np.full((len(x), num, len(schema.features)), np.nan), np.full(len(x), np.nan)
    if data is None:
        return Near({}, values, usual)
    kinds, scale = wish.kinds(len(x)), column_scales(data.x, schema)
    weight = scale.clone()
    for name in fixed:
        weight[list(schema[name].places)] *= FIXED
    found: dict[int, Neighbourhood] = {}
    own = distance_to_others(scaled(x, scale), scaled(data.x, scale)).double().numpy()
    for kind in kinds.unique().tolist():
        rows = (kinds == kind).nonzero().flatten()
        wanted = wish.is_wanted(data.outputs, int(rows[0])).nonzero().flatten()
        if not len(wanted):
            continue
        found[kind] = neighbourhood(data.x[wanted], scale, quantile)
        usual[rows.numpy()] = np.maximum(found[kind].bound, own[rows.numpy()])
        nearest = _nearest(scaled(x[rows], weight), scaled(data.x[wanted], weight), min(num, len(wanted)))
        held = data.values[wanted.numpy()][nearest.numpy()]
        values[rows.numpy(), : held.shape[1]] = held
    return Near(found, values, usual)


def _nearest(
    points: Float[Tensor, " some column"], others: Float[Tensor, " row column"], num: int
) -> Int[Tensor, " some near"]:
    parts = [torch.cdist(part, others).topk(num, dim=1, largest=False).indices for part in points.split(1024)]
    return torch.cat(parts)
