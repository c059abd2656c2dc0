"""Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
attribution priors and expected gradients: the graph prior, that features joined by an edge have similar attributions.

Times the sum of the edge weights, it is the quadratic form of the graph's Laplacian at the mean absolute attributions.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.explanations.attribution.paths import PathMethod, path_attribution_of
from corrigible.explanations.features import mean_sizes
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="own passes")
def attribution_graph(
    forward: Forward,
    batch: Batch,
    *,
    edges: Sequence[Sequence[int]] | None = None,
    edge_weights: Sequence[float] | None = None,
    attribution: PathMethod = "expected_gradients",
    background: Tensor | None = None,
    samples: int = 1,
    score: str = "target_log_prob",
) -> Float[Tensor, ""]:
    """Mean over the edges of the squared difference between the mean absolute attributions of the two features.

    Args:
        edges: pairs of features, counted from 0: the table's features in the order of their first column, or otherwise
            the inputs in the order of the flattened row. Required.
        edge_weights: weight of each edge in the mean; None for equal weights.
        attribution: integrated gradients do not use the background; they start from the default baseline row.
        background: rows to draw from, (row, *input); None for a row of zeros (1/k in a category's k columns).
        samples: points per row.

    Raises:
        RecipeError: no edges, edges or weights that do not fit, fewer than 1 sample, or an unknown score.
        DataError: a background that does not fit.
    """
    found = path_attribution_of(
        forward, forward.target, attribution=attribution, background=background, samples=samples, score=score
    )
    sizes = mean_sizes(found, batch.columns)
    ends = _checked(edges, len(sizes)).to(sizes.device)
    weights = _weights(edge_weights, len(ends)).to(sizes)
    difference = sizes[ends[:, 0]] - sizes[ends[:, 1]]
    return (weights * difference.square()).sum() / weights.sum()


def _checked(edges: Sequence[Sequence[int]] | None, num_features: int) -> Tensor:
    if not edges or any(len(edge) != 2 for edge in edges):
        raise RecipeError(f"edges are {edges!r}; expected pairs of features that should count alike, such as [[0, 1]]")
    ends = torch.tensor([list(edge) for edge in edges])
    if bool(((ends < 0) | (ends >= num_features)).any()):
        raise RecipeError(
            f"edges join features {int(ends.min())} to {int(ends.max())}; the rows have 0 to {num_features - 1}"
        )
    return ends


def _weights(edge_weights: Sequence[float] | None, num_edges: int) -> Tensor:
    weights = [1.0] * num_edges if edge_weights is None else list(edge_weights)
    if len(weights) != num_edges or min(weights) < 0 or sum(weights) == 0:
        raise RecipeError(f"edge_weights are {weights}; expected {num_edges} numbers of at least 0, not all 0")
    return torch.tensor(weights)
