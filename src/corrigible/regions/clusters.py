"""Lapuschkin, Wäldchen, Binder, Montavon, Samek and Müller 2019, Unmasking Clever Hans predictors: spectral relevance
analysis.

A model that predicts a class for several reasons has several kinds of explanations for it. A graph joins rows with
similar explanations. It has as many clusters as its Laplacian has eigenvalues near 0, which a gap separates from the
others.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d

from corrigible.errors import DataError
from corrigible.explanations.counts import require_count

FEWEST_ROWS = 3
"""Least number of rows of a class; two rows cannot form different clusters of neighbours."""


@dataclass(frozen=True)
class ClassClusters:
    """The clusters of the explanations of one class's rows."""

    label: int
    rows: Int[Tensor, " row"]
    """Positions of the rows of this class."""
    eigenvalues: Float[Tensor, " eigenvalue"]
    """The smallest eigenvalues of the graph's normalised Laplacian, ascending from 0; each is at most 2."""
    gap: float
    """Gap between the eigenvalue of the last cluster and the next one; near 0 the number of clusters says little."""
    cluster: Int[Tensor, " row"]
    """The cluster of each row; 0 is the largest."""
    means: Float[Tensor, " cluster *input"]
    """The mean attribution of each cluster's rows, at full resolution."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of rows in each cluster, the largest first."""
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
    """The clusters of each class's explanations, in the order of the classes; skips classes of under three rows.

    Attributions are down-sampled and scaled to length 1; two rows are joined if either is among the nearest neighbours
    of the other. The largest gap between eigenvalues gives the number of clusters. The clusters come from k-means on
    the Laplacian's first eigenvectors, each row scaled to length 1 (Ng, Jordan and Weiss 2002).

    Args:
        attribution: one per row. Images are summed over channels and averaged down to at most ``side`` × ``side``;
            sequences of (place, dimension) are summed over dimensions and averaged down to at most ``side``² places;
            tables are used as they are.
        y: the class of each row: its label, or the class that was explained.
        num_neighbours: neighbours of each row; fewer if a class has fewer other rows.
        max_clusters: most clusters per class.

    Raises:
        DataError: attributions and classes of different length.
        RecipeError: a setting below 1.
    """
    for name, value in (("side", side), ("num_neighbours", num_neighbours), ("max_clusters", max_clusters)):
        require_count(name, value)
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
    """Each row's attribution, averaged over just enough pixels or places to leave at most ``side`` per axis."""
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
    from scipy.sparse.csgraph import laplacian
    from sklearn.neighbors import kneighbors_graph  # Here, because it takes seconds to load.

    graph = kneighbors_graph(values, min(num_neighbours, len(values) - 1)).toarray()
    eigenvalues, vectors = np.linalg.eigh(laplacian(np.maximum(graph, graph.T), normed=True))
    return torch.from_numpy(eigenvalues.clip(min=0.0)), torch.from_numpy(vectors)


def _clusters(vectors: Tensor, seed: int) -> Int[Tensor, " row"]:
    """The cluster of each row, numbered from the largest."""
    from sklearn.cluster import KMeans  # Here, because it takes seconds to load.

    count = vectors.shape[1]
    if count == 1:
        return torch.zeros(len(vectors), dtype=torch.long)
    fitted = KMeans(count, n_init=10, random_state=seed).fit(_normed(vectors))
    labels = torch.from_numpy(fitted.labels_).long()
    order = labels.bincount(minlength=count).argsort(descending=True, stable=True)
    return order.argsort()[labels]
