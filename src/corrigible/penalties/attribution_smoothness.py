"""Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
attribution priors and expected gradients: the pixel prior, that neighbouring pixels have similar attributions, by total
variation.

The sum of absolute differences between neighbours is divided by the sum of absolute attributions, of which it is at
most four times. Otherwise a model would look smooth as soon as its attributions are small.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import UnsupportedModelError
from corrigible.explanations.attribution.paths import PathMethod, path_attribution_of
from corrigible.explanations.marks.shares import negligible
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="own passes")
def attribution_smoothness(
    forward: Forward,
    batch: Batch,
    *,
    attribution: PathMethod = "expected_gradients",
    background: Tensor | None = None,
    samples: int = 1,
    score: str = "target_log_prob",
) -> Float[Tensor, ""]:
    """Total variation of an image's attributions, divided by their absolute sum: from 0 to 4, averaged over rows.

    The attribution of a pixel is summed over its channels. The scale of the attributions does not matter; a row where
    all are 0 gives 0.

    Args:
        attribution: integrated gradients do not use the background; they start from zeros.
        background: rows to draw from, (row, *input); None for a row of zeros.
        samples: points per row.

    Raises:
        UnsupportedModelError: rows that are not images.
        RecipeError: fewer than 1 sample, or an unknown score.
        DataError: a background that does not fit.
    """
    if batch.x.ndim != 4:
        raise UnsupportedModelError(
            f"attribution_smoothness compares neighbouring pixels; x has shape {tuple(batch.x.shape)}, expected "
            "(batch, channel, height, width): use attribution_graph to say which inputs are neighbours"
        )
    pixels = path_attribution_of(
        forward, forward.target, attribution=attribution, background=background, samples=samples, score=score
    ).sum(dim=1)
    variation = sum(pixels.diff(dim=dim).abs().sum(dim=(1, 2)) for dim in (1, 2))
    total = pixels.abs().sum(dim=(1, 2))
    is_something = total > negligible(total.dtype)
    return (variation * is_something / total.where(is_something, 1.0)).mean()
