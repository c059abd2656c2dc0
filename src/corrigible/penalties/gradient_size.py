"""Ross and Doshi-Velez 2018, Improving the adversarial robustness and interpretability of deep neural networks by
regularizing their input gradients.

With the label's log-probability this is double backpropagation (Drucker and LeCun 1992, Improving generalization
performance using double backpropagation): its gradient is that of the loss, up to the sign.
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
    """Mean squared (or absolute) input gradient over all inputs.

    The absolute gradient leaves few inputs that matter. It shares the label pass: if a normalisation layer mixes the
    rows of a batch, the gradients mix them too.
    """
    gradient = forward.input_gradient(score_named(score, forward), forward.target)
    return (gradient.square() if norm == "l2" else gradient.abs()).mean()
