"""The reference: a model that never saw the forgotten rows."""

from collections.abc import Generator

from torch import nn

from corrigible.models.fresh_weights import untrained
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.training import Epoch


def retrained(
    forgetting: Forgetting, *, epochs: int = 24, learning_rate: float = 1e-3
) -> Generator[Epoch, None, nn.Module]:
    """A network of the same form, trained from fresh weights on the kept rows alone, by Adam.

    Args:
        epochs, learning_rate: those by which the model was trained.
    """
    found = untrained(forgetting.model, seed=forgetting.seed).requires_grad_(True)
    batches = forgetting.batches(forgetting.kept)
    yield from forgetting.trained(found, batches, epochs=epochs, learning_rate=learning_rate)
    return found
