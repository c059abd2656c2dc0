"""Train on with the kept rows alone: what is not rehearsed fades."""

from collections.abc import Generator

from torch import nn

from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.training import Epoch


def fine_tuned(
    forgetting: Forgetting, *, epochs: int = 2, learning_rate: float = 1e-3
) -> Generator[Epoch, None, nn.Module]:
    """A copy trained on with the kept rows alone."""
    found = forgetting.copy()
    batches = forgetting.batches(forgetting.kept)
    yield from forgetting.trained(found, batches, epochs=epochs, learning_rate=learning_rate)
    return found
