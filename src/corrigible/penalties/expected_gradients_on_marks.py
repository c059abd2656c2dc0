"""Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
attribution priors and expected gradients: expected gradients (equation 4) where the prior is that marked inputs count
for nothing.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.attribution.paths import PathMethod, path_attribution_of
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(looks_at="own passes")
def expected_gradients_on_marks(
    forward: Forward,
    batch: Batch,
    *,
    attribution: PathMethod = "expected_gradients",
    background: Tensor | None = None,
    samples: int = 1,
    score: str = "random_projection",
) -> Float[Tensor, ""]:
    """Squared sum of absolute expected gradients over each row's marked inputs, in the mean over rows.

    In squared units of the score. Attributions share the score out among the inputs, so that it is their sum that does
    not depend on how finely a region is divided.

    An attribution holds the way from the reference to the input: where both are the same, as in a corner that is black
    in both, it is 0 however the model would answer to a change there, and that input is not corrected.

    Args:
        attribution: integrated gradients leave the background alone and start from what stands for None.
        background: rows to draw references from, (row, *input); None for a row of zeros, in a category of k
            columns 1/k each.
        samples: points per row; each costs as much as a reviewed row.

    Raises:
        RecipeError: fewer than 1 sample, or an unknown score.
        DataError: a background that does not fit.
    """
    assert batch.irrelevant is not None
    found = path_attribution_of(
        forward, batch.y, attribution=attribution, background=background, samples=samples, score=score
    )
    on_marks = (found.abs() * batch.irrelevant).flatten(1).sum(dim=1)
    return mean_over_marked(on_marks.square(), batch.irrelevant)
