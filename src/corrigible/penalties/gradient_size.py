"""Ross and Doshi-Velez 2018, Improving the adversarial robustness and interpretability of deep neural networks by
regularizing their input gradients.

With the label's log-probability this is double backpropagation (Drucker and LeCun 1992, Improving generalization
performance using double backpropagation): its gradient is that of the loss, but for the sign.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled")
def gradient_size(
    forward: Forward, batch: Batch, *, score: str = "target_log_prob", norm: Literal["l2", "l1"] = "l2"
) -> Float[Tensor, ""]:
    """Mean squared (or absolute) input gradient, wherever it lies.

    The absolute one leaves few inputs that count. It shares the label pass: where a normalisation layer mixes the rows
    of a batch, so do the gradients.
    """
    gradient = forward.input_gradient(score_named(score, forward), batch.y)
    return (gradient.square() if norm == "l2" else gradient.abs()).mean()
