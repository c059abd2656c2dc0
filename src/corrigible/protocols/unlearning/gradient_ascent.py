"""Kurmanji, Triantafillou, Hayes and Triantafillou 2023, Towards unbounded machine unlearning: NegGrad+ (section 5).

Gradient descent on the kept rows and ascent on the forgotten ones, in one objective, without a bound.
"""

from collections.abc import Generator

from jaxtyping import Float
from torch import Tensor, nn

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.models.forward import Forward
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.training import Epoch
from corrigible.types import Batch


@declared(rows="reviewed", looks_at="nothing")
def minus_loss(forward: Forward, batch: Batch) -> Float[Tensor, ""]:
    """Minus the mean task loss, which has no minimum."""
    return -forward.task.loss(forward.outputs, batch.y, batch.extra).mean()


def gradient_ascent(
    forgetting: Forgetting, *, epochs: int = 1, learning_rate: float = 1e-4, kept_share: float = 0.95
) -> Generator[Epoch, None, nn.Module]:
    """A copy trained on with β × the loss of kept rows minus (1 - β) × the loss of forgotten rows.

    Args:
        kept_share: β, above 0 and at most 1.

    Raises:
        RecipeError: a ``kept_share`` out of range.
    """
    if not 0 < kept_share <= 1:
        raise RecipeError(f"kept_share is {kept_share}; expected a number above 0 and at most 1")
    found = forgetting.copy()
    # Divided by β: an optimizer's steps then have the size that the learning rate says for the kept rows.
    yield from forgetting.trained(
        found,
        forgetting.batches(forgetting.kept),
        beside=forgetting.stream(forgetting.forgotten, forgetting.rows_per_step(forgetting.kept)),
        penalties={minus_loss: (1 - kept_share) / kept_share},
        epochs=epochs,
        learning_rate=learning_rate,
    )
    return found
