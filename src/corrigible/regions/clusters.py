"""Lapuschkin, Wäldchen, Binder, Montavon, Samek and Müller 2019, Unmasking Clever Hans predictors: spectral relevance
analysis.

A model that predicts a class for several reasons has several kinds of explanations of it. Rows whose explanations look
alike are joined to a graph; it falls apart into as many clusters as its Laplacian has eigenvalues near 0, which a gap
sets apart from the rest.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse.csgraph import laplacian
from sklearn.cluster import KMeans
from sklearn.neighbors import kneighbors_graph
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d

from corrigible.errors import DataError, RecipeError

FEWEST_ROWS = 3
"""Of one class: two rows have no neighbours to tell apart."""


@dataclass(frozen=True)
class ClassClusters:
    """The kinds of explanations that the rows of one class have."""

    label: int
    rows: Int[Tensor, " row"]
    """Positions of the rows of this class."""
    eigenvalues: Float[Tensor, " eigenvalue"]
    """The smallest ones of the graph's normalised Laplacian, ascending from 0, each at most 2."""
    gap: float
    """Between the eigenvalues of the last cluster and of the next; near 0 the number of clusters says little."""
    cluster: Int[Tensor, " row"]
    """The cluster of each row; 0 is the largest."""
    means: Float[Tensor, " cluster *input"]
    """The mean attribution of each cluster's rows, as it was given."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many rows each cluster has, the largest first."""
        return tuple(self.cluster.bincount().tolist())


def cluster_explanations(
    attribution: Float[Tensor, " row *input"],
    y: Int[Tensor, " _"],
    *,
    side: int = 10,
    num_neighbours: int = 10,
    max_clusters: int = 8,
    seed: int = 0,
) -> tuple[ClassClusters, ...]:
    """The clusters of each class's explanations, in the order of the classes; those of under three rows are left out.

    Attributions are down-sampled and scaled to length 1; each row is joined to its nearest neighbours, in either
    direction. The number of clusters is where the eigenvalues' gap is largest. The clusters are those of k-means on the
    Laplacian's first eigenvectors, each row scaled to length 1 (Ng, Jordan and Weiss 2002).

    Args:
        attribution: of images, summed over channels and averaged down to at most ``side`` × ``side``; of sequences of
            (place, dimension), summed over dimensions and averaged to at most ``side``²; of tables, as it is.
        y: the class of each row: its label, or the class that was explained.
        num_neighbours: of each row; fewer where a class has fewer other rows.
        max_clusters: how many at most.

    Raises:
        DataError: attributions and classes of different length.
        RecipeError: a setting below 1.
    """
    for name, value in (("side", side), ("num_neighbours", num_neighbours), ("max_clusters", max_clusters)):
        if value < 1:
            raise RecipeError(f"{name} is {value}; expected at least 1")
    if len(attribution) != len(y):
        raise DataError(f"{len(attribution)} attributions and {len(y)} classes; expected one class per row")
    small = _normed(down_sampled(attribution.detach().cpu(), side))
    found = []
    for label in y.cpu().unique().tolist():
        rows = (y.cpu() == label).nonzero().flatten()
        if len(rows) >= FEWEST_ROWS:
            eigenvalues, vectors = _spectrum(small[rows], num_neighbours)
            eigenvalues = eigenvalues[: max_clusters + 1]
            gaps = eigenvalues.diff()[: len(rows) - 1]
            cluster = _clusters(vectors[:, : int(gaps.argmax()) + 1], seed)
            means = torch.stack([attribution[rows[cluster == k]].mean(dim=0) for k in range(int(cluster.max()) + 1)])
            found.append(ClassClusters(label, rows, eigenvalues, float(gaps.max()), cluster, means))
    return tuple(found)


def down_sampled(attribution: Float[Tensor, " row *input"], side: int) -> Float[Tensor, " row value"]:
    """Each row's attribution, averaged over as few pixels or places as leave at most ``side`` down and across."""
    if attribution.ndim == 4:
        height, width = (min(side, length) for length in attribution.shape[2:])
        return adaptive_avg_pool2d(attribution.sum(dim=1), (height, width)).flatten(1)
    if attribution.ndim == 3:
        return adaptive_avg_pool1d(attribution.sum(dim=2), min(side**2, attribution.shape[1]))
    return attribution.flatten(1)


def _normed(values: Tensor) -> Float[np.ndarray, " row value"]:
    lengths = values.double().norm(dim=1, keepdim=True)
    scaled: Float[np.ndarray, " row value"] = (values.double() / lengths.clamp_min(1e-300)).numpy()
    return scaled


def _spectrum(values: Float[np.ndarray, " row value"], num_neighbours: int) -> tuple[Tensor, Tensor]:
    """The eigenvalues and eigenvectors of the normalised Laplacian of the graph of nearest neighbours."""
    graph = kneighbors_graph(values, min(num_neighbours, len(values) - 1)).toarray()
    eigenvalues, vectors = np.linalg.eigh(laplacian(np.maximum(graph, graph.T), normed=True))
    return torch.from_numpy(eigenvalues.clip(min=0.0)), torch.from_numpy(vectors)


def _clusters(vectors: Tensor, seed: int) -> Int[Tensor, " row"]:
    """The cluster of each row, numbered from the largest."""
    count = vectors.shape[1]
    if count == 1:
        return torch.zeros(len(vectors), dtype=torch.long)
    fitted = KMeans(count, n_init=10, random_state=seed).fit(_normed(vectors))
    labels = torch.from_numpy(fitted.labels_).long()
    order = labels.bincount(minlength=count).argsort(descending=True, stable=True)
    return order.argsort()[labels]
