"""Lin, Goyal, Girshick, He and Dollár 2017, Focal loss for dense object detection, equation 4.

Their weights α of classes are left to the data set's sample weights.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.models.forward import Forward
from corrigible.tasks.classes import require_labels
from corrigible.types import Batch


def focal(forward: Forward, batch: Batch, *, gamma: float = 2.0) -> Float[Tensor, " batch"]:
    """Minus the log-probability of each row's label, times (1 - that probability) to the power ``gamma``.

    Rows that are predicted well count less. The loss of a row is in nats, at least 0 and at most the cross-entropy.

    Args:
        gamma: at least 0; 0 gives the cross-entropy.

    Raises:
        RecipeError: a gamma that is negative or infinite.
        DataError: a label that is not one of the model's classes.
        UnsupportedModelError: the task has no classes.
    """
    if not 0 <= gamma < float("inf"):
        raise RecipeError(f"gamma is {gamma}; expected a number of at least 0, such as 2")
    log_probs, label = forward.log_probs, batch.y[:, None]
    require_labels(batch.y, log_probs.shape[1])
    # The sum of the other classes' probabilities, since 1 - p has no digits left where p is near 1.
    log_others = log_probs.scatter(1, label, float("-inf")).logsumexp(dim=1)
    return -(gamma * log_others).exp() * log_probs.gather(1, label)[:, 0]
