"""Ross and Doshi-Velez 2018, improving the adversarial robustness of networks by regularizing their input gradients."""

from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch


def gradient_size(
    forward: Forward, batch: Batch, *, score: str = "target_log_prob", power: float = 2.0
) -> Float[Tensor, ""]:
    """Mean size of the input gradient, wherever it lies.

    It shares the label pass: where a normalisation layer mixes the rows of a batch, so do the gradients.
    """
    return forward.input_gradient(score_named(score, forward), batch.y).abs().pow(power).mean()
