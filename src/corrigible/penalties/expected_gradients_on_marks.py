"""Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
attribution priors and expected gradients: expected gradients (equation 4), with the prior that marked inputs have no
attribution.
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
    """Squared sum of the absolute expected gradients on a row's marked inputs, averaged over rows.

    In squared units of the score. Attributions divide the score among the inputs, so their sum, unlike their mean, does
    not depend on how finely a region is divided.

    An attribution contains the difference between the input and the background row. Where both are equal, as in a
    corner that is black in both, it is 0 whatever the model does with that input, and that input is not corrected.

    Args:
        attribution: integrated gradients do not use the background; they start from the default baseline row.
        background: rows to draw from, (row, *input); None for a row of zeros (1/k in a category's k columns).
        samples: points per row; each costs as much as a reviewed row.

    Raises:
        RecipeError: fewer than 1 sample, or an unknown score.
        DataError: a background that does not fit.
    """
    assert batch.irrelevant is not None
    found = path_attribution_of(
        forward, forward.target, attribution=attribution, background=background, samples=samples, score=score
    )
    on_marks = (found.abs() * batch.irrelevant).flatten(1).sum(dim=1)
    return mean_over_marked(on_marks.square(), batch.irrelevant)
