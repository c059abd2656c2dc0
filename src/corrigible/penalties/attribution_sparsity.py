"""Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
attribution priors and expected gradients: the prior that few features matter, by the Gini coefficient.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.attribution.paths import PathMethod, path_attribution_of
from corrigible.explanations.features import mean_sizes
from corrigible.explanations.marks.shares import negligible
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="own passes")
def attribution_sparsity(
    forward: Forward,
    batch: Batch,
    *,
    attribution: PathMethod = "expected_gradients",
    background: Tensor | None = None,
    samples: int = 1,
    score: str = "target_log_prob",
) -> Float[Tensor, ""]:
    """1 minus the Gini coefficient of the features' mean absolute attributions: 1 if all are equal.

    Near 0 if only one of many features has an attribution. Features are those of the table's columns, or otherwise
    single inputs. The scale of the attributions does not matter; if all are 0, the value is 1.

    Args:
        attribution: integrated gradients do not use the background; they start from the default baseline row.
        background: rows to draw from, (row, *input); None for a row of zeros (1/k in a category's k columns).
        samples: points per row.

    Raises:
        RecipeError: fewer than 1 sample, or an unknown score.
        DataError: a background that does not fit.
    """
    found = path_attribution_of(
        forward, forward.target, attribution=attribution, background=background, samples=samples, score=score
    )
    return 1 - gini_of(mean_sizes(found, batch.columns))


def gini_of(sizes: Float[Tensor, " feature"]) -> Float[Tensor, ""]:
    """Gini coefficient: mean absolute difference of pairs over twice the mean, from 0 to 1 − 1/n; 0 if all are 0."""
    count = len(sizes)
    # The i-th smallest is larger than i − 1 others and smaller than n − i.
    rank = torch.arange(1, count + 1, device=sizes.device)
    total = sizes.sum()
    is_something = total > negligible(total.dtype)
    differences = ((2 * rank - count - 1) * sizes.sort().values).sum()
    return differences * is_something / (count * total.where(is_something, 1.0))
