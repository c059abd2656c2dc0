"""Harrison, Willes and Snoek 2024, Variational Bayesian last layers, the bound of discriminative classification.

Only the last layer's weights have a distribution, so a row's logits are normal, and the expected cross-entropy has a
bound in closed form (Jensen's inequality): nothing is drawn. Here weights are independent, where the paper learns their
covariance within a class, and logits have no noise of their own.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.last_layer import last_linear
from corrigible.models.forward import Forward
from corrigible.tasks.classes import require_labels
from corrigible.types import Batch


def last_layer_bound(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """A bound from above of each row's cross-entropy, expected over the last layer's weights.

    With mean m and variance v of each logit: log Σ exp(m + v/2), minus the label's m. Where v is 0, it is the
    cross-entropy. Train with the penalty `kl_divergence` on a network that `variational_last_layer` made.

    Raises:
        DataError: a label that is not one of the model's classes.
        UnsupportedModelError: a task without classes, or a last layer without a distribution.
    """
    require_labels(forward.labels, forward.logits.shape[1])
    name = last_linear(forward.model)
    mean, variance = forward.moments(name)
    if mean.shape != forward.logits.shape or not bool((forward.activation(name) == forward.logits).all()):
        raise UnsupportedModelError(f"the logits are not the outputs of layer {name!r}; expected it to be the last")
    return (mean + variance / 2).logsumexp(dim=1) - mean.gather(1, forward.labels[:, None])[:, 0]
