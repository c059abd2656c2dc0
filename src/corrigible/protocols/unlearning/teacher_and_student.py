"""Kurmanji, Triantafillou, Hayes and Triantafillou 2023, Towards unbounded machine unlearning: SCRUB (section 3).

The model as it was is a teacher. A student, which begins as its copy, is by turns drawn away from the teacher on the
forgotten rows, and back to teacher and labels on the kept ones.
"""

from collections.abc import Generator, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import Batches
from corrigible.errors import RecipeError
from corrigible.models.forward import Forward
from corrigible.protocols.unlearning.divergence import divergence
from corrigible.protocols.unlearning.forgetting import Forgetting, with_extra
from corrigible.training import Epoch
from corrigible.types import Batch

TEACHER, IS_FORGOTTEN = "unlearning_teacher", "unlearning_is_forgotten"


def teacher_and_student(
    forgetting: Forgetting,
    *,
    epochs: int = 2,
    learning_rate: float = 5e-4,
    away: int = 1,
    likeness: float = 1.0,
    labels: float = 1.0,
) -> Generator[Epoch, None, nn.Module]:
    """A copy that is drawn away from the model on forgotten rows, and back to it and the labels on kept rows.

    Each epoch passes the kept rows; each of the first ``away`` epochs passes the forgotten rows before.

    Args:
        away: epochs with steps away from the teacher, at most ``epochs``; the last epochs repair.
        likeness, labels: weights of the divergence from the teacher and of the task loss on kept rows.

    Raises:
        RecipeError: more epochs away than there are.
    """
    if not 0 <= away <= epochs:
        raise RecipeError(f"away is {away} and epochs {epochs}; expected 0 to {epochs}")

    def alternating(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        from_teacher = divergence(forward.task, forward.outputs, batch.extra[TEACHER].to(forward.outputs))
        if bool(batch.extra[IS_FORGOTTEN].all()):
            return -from_teacher
        return labels * forward.task.loss(forward.outputs, batch.y, batch.extra) + likeness * from_teacher

    found = forgetting.copy()
    by_turns = _by_turns(forgetting, away)
    yield from forgetting.trained(found, by_turns, loss=alternating, epochs=epochs, learning_rate=learning_rate)
    return found


def _by_turns(forgetting: Forgetting, away: int) -> Batches:
    """Batches of forgotten rows in the first epochs, and after them those of kept rows."""
    forgotten, kept = (
        forgetting.batches(
            with_extra(
                rows, {TEACHER: forgetting.outputs(rows), IS_FORGOTTEN: torch.full((len(rows),), float(is_forgotten))}
            )
        )
        for rows, is_forgotten in ((forgetting.forgotten, True), (forgetting.kept, False))
    )

    def batches(epoch: int) -> Iterator[Batch]:
        if epoch < away:
            yield from forgotten(epoch)
        yield from kept(epoch)

    return batches
