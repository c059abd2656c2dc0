"""Rows as the checks see them: cells in original units, also where these cannot be meant."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.data.class_order import MISSING
from corrigible.data.original_units import units_in
from corrigible.explanations.counterfactuals.schema import FeatureFacts, Schema
from corrigible.figures import short_number

Latent = Callable[[Float[Tensor, " row column"]], Float[Tensor, " row unit"]]
"""What the network makes of rows before its last layer."""


@dataclass(frozen=True)
class Seen:
    """Rows, as numbers that every check can take."""

    x: Float[Tensor, " row column"]
    """As the model takes them; what is not finite is 0 here, and ``unread`` says so."""
    values: Float[np.ndarray, " row feature"]
    """Numbers in their units, of categories the place of the level; NaN where a cell is empty or cannot be read."""
    unread: Bool[np.ndarray, " row feature"]
    """Where a number is not finite, a category has not one level, or a cell is empty that never was in training."""
    latent: Float[Tensor, " row unit"] | None

    def __len__(self) -> int:
        return len(self.x)

    def at(self, rows: Int[np.ndarray, " some"]) -> "Seen":
        """Some of the rows."""
        places = torch.from_numpy(rows)
        latent = None if self.latent is None else self.latent[places]
        return Seen(self.x[places], self.values[rows], self.unread[rows], latent)


def seen(
    x: Float[Tensor, " row column"],
    schema: Schema,
    latent: Latent | None,
    empty: Bool[np.ndarray, " row feature"] | None,
) -> Seen:
    """The rows for the checks.

    Args:
        empty: cells that are empty in the frame, where ``x`` may not tell.
    """
    given = x.detach().cpu()
    finite = torch.where(given.isfinite(), given, torch.zeros((), dtype=given.dtype))
    encoded, units = given.double().numpy(), units_in(schema.columns)
    values = np.full((len(x), len(schema.features)), np.nan)
    unread = np.zeros(values.shape, dtype=bool) if empty is None else empty.copy()
    for number, feature in enumerate(schema.features):
        held = encoded[:, list(feature.places)]
        unread[:, number] |= ~np.isfinite(held).all(axis=1)
        if feature.is_category:
            one = (held == 1).sum(axis=1) + (held == 0).sum(axis=1) == held.shape[1]
            one &= (held == 1).sum(axis=1) == 1
            values[:, number] = np.where(one, held.argmax(axis=1), np.nan)
            unread[:, number] |= ~one
        elif feature.places:
            numbers = units.originals(feature.places[0], np.where(np.isfinite(held[:, 0]), held[:, 0], 0.0))
            blank = encoded[:, feature.mark] > 0 if feature.mark is not None else np.zeros(len(x), dtype=bool)
            values[:, number] = np.where(blank | unread[:, number], np.nan, numbers)
    return Seen(finite, values, unread, None if latent is None else latent(finite).cpu().double())


def written(feature: FeatureFacts, value: float) -> str:
    """A cell as people write it."""
    if np.isnan(value):
        return "empty"
    if feature.is_category:
        level = feature.levels[int(value)]
        return "empty" if level == MISSING else level
    return short_number(value)
