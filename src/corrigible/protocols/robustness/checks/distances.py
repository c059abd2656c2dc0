"""Lee, Lee, Lee and Shin 2018, a simple unified framework for detecting out-of-distribution samples and adversarial
attacks: the Mahalanobis distance of what the network makes of a row. And the distance to the nearest training rows.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.explanations.counterfactuals.plausible import AT_ONCE, column_scales, scaled
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.figures import short_number
from corrigible.protocols.robustness.checks.seen import Seen

NUM_NEAR = 5
MOST_ROWS = 5000
"""Training rows whose distances are looked at."""
SHRUNK = 1e-2
"""The share of the mean variance that is added to each."""


@dataclass(frozen=True)
class InNetwork:
    """How far a row is from the nearest class in the network, with one covariance for all classes."""

    means: Float[Tensor, " num_classes unit"]
    whitening: Float[Tensor, " unit unit"]
    name: str = "network"

    def scores(self, rows: Seen) -> Float[np.ndarray, " row"]:
        """The Mahalanobis distance."""
        assert rows.latent is not None
        away = (rows.latent[:, None] - self.means) @ self.whitening
        return np.asarray(away.norm(dim=2).amin(dim=1).numpy())

    def words(self, rows: Seen, row: int) -> str:
        """How far it is."""
        away = short_number(float(self.scores(rows.at(np.array([row])))[0]))
        return f"what the network makes of it is like no training row (Mahalanobis distance {away})"


def in_network(rows: Seen, y: Int[Tensor, " row"]) -> InNetwork | None:
    """The classes of the rows in the network; None where it cannot be looked into."""
    if rows.latent is None:
        return None
    classes = y.unique()
    means = torch.stack([rows.latent[y == one].mean(dim=0) for one in classes])
    centred = rows.latent - means[torch.searchsorted(classes, y)]
    covariance = centred.T @ centred / len(centred)
    size = max(float(covariance.diagonal().mean()), 1e-12)
    covariance += SHRUNK * size * torch.eye(len(covariance), dtype=covariance.dtype)
    values, vectors = torch.linalg.eigh(covariance)
    return InNetwork(means, vectors / values.sqrt())


@dataclass(frozen=True)
class Nearest:
    """How far a row is from the nearest training rows."""

    points: Float[Tensor, " row column"]
    scale: Float[Tensor, " column"]
    name: str = "neighbours"

    def scores(self, rows: Seen) -> Float[np.ndarray, " row"]:
        """The distance to the fifth: 1 for a standard deviation, or another category."""
        near = min(NUM_NEAR, len(self.points))
        found = [
            torch.cdist(part, self.points).kthvalue(near, dim=1).values
            for part in scaled(rows.x, self.scale).split(AT_ONCE)
        ]
        return np.asarray(torch.cat(found).double().numpy())

    def words(self, rows: Seen, row: int) -> str:
        """How far it is."""
        away = short_number(float(self.scores(rows.at(np.array([row])))[0]))
        return f"few training rows are near: the {min(NUM_NEAR, len(self.points))}th is {away} away"


def nearest(rows: Seen, schema: Schema, rng: np.random.Generator) -> Nearest:
    """The rows, at most ``MOST_ROWS`` of them, as points."""
    some = rng.permutation(len(rows))[:MOST_ROWS]
    scale = column_scales(rows.x, schema)
    return Nearest(scaled(rows.x[torch.from_numpy(some)], scale), scale)
