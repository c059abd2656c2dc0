"""How a copy of a model is trained on with a penalty of a gap: large batches, and few epochs."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.protocol import Dataset
from corrigible.models.networks import copied
from corrigible.objective import Term
from corrigible.protocols.careful import careful_step
from corrigible.protocols.schedule import Schedule, run

SIZES, LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = (256, 2048), 160, 8, 20
"""The smallest and the largest batch, which else holds a sixteenth of the rows: rates of groups need many rows. And the
least steps and epochs of a run, and the most epochs: few rows that are passed more often are learned by heart, and then
have no gap between them, while others have."""


class Lesson(NamedTuple):
    """How a copy of the model is trained on with a weight of the penalty."""

    start: nn.Module
    dataset: Dataset
    term: Term
    schedule: Schedule
    epochs: int | None
    seed: int
    finish: Callable[[nn.Module], None] | None = None

    def taught(self, weight: float, rows: Int[Tensor, " row"] | None) -> nn.Module:
        """A trained copy."""
        taught, terms = copied(self.start), [replace(self.term, weight=weight)]
        schedule = usual(self.schedule, len(self.dataset) if rows is None else len(rows), epochs=self.epochs)
        for _ in run(taught, self.dataset, schedule, penalties=terms, rows=rows, step=careful_step, seed=self.seed):
            pass
        if self.finish is not None:
            self.finish(taught)
        return taught


def usual(schedule: Schedule, num_rows: int, *, epochs: int | None) -> Schedule:
    """The schedule with large batches, and enough steps."""
    size = schedule.batch_size or min(max(num_rows // 16, SIZES[0]), SIZES[1])
    enough = min(max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / math.ceil(num_rows / size))), MOST_EPOCHS)
    return replace(schedule, batch_size=size, epochs=enough if epochs is None else epochs)
