"""By how much each training row's own loss would rise without it: high for rows that only they themselves teach.

Feldman and Zhang 2020, What neural networks memorize and why. Wrong labels stand near the top: nothing else in the data
supports them.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import TrainingDivergedError
from corrigible.explanations.examples.row_gradients import row_gradients, rows_in_memory
from corrigible.models.modes import untouched
from corrigible.objective import PenaltySettings
from corrigible.protocols.influence.answering import inverting
from corrigible.protocols.influence.asked import asked_of
from corrigible.protocols.influence.curvature import require_curvature
from corrigible.protocols.influence.doubts import REMEDY
from corrigible.protocols.influence.inverses import checked_damping
from corrigible.protocols.schedule import Schedule


def self_influence(
    model: nn.Module,
    data: Any,
    *,
    method: str = "exact",
    curvature: str = "gauss_newton",
    damping: float | None = None,
    penalties: PenaltySettings | None = None,
    feedback: Any = None,
    schedule: Schedule | None = None,
    seed: Any = 0,
) -> Float[Tensor, " row"]:
    """The influence of each training row on its own loss, in units of the loss.

    Args:
        method: "exact", "conjugate_gradients" or "ek_fac".
        curvature: as `influence` takes it; with "gauss_newton" no value is below 0.
        data, damping, penalties, feedback, schedule, seed: as `influence` takes them.

    Raises:
        RecipeError: another method, or a damping below 0 or infinite.
        TrainingDivergedError: a value that is not finite.
    """
    invert, damping = inverting(method), checked_damping(damping)
    require_curvature(curvature)
    how: dict[str, Any] = {"penalties": penalties, "feedback": feedback, "schedule": schedule, "seed": seed}
    learned = asked_of(model, data, data, **how).learned
    found = torch.empty(len(learned.dataset), dtype=learned.theta.dtype)
    with untouched(learned.network, 0):
        inverse = invert(learned, curvature, damping)
        for part in rows_in_memory(learned.index, learned.weights.count):
            gradients = row_gradients(learned.network, learned.weights, learned.batch(part), loss=learned.loss)
            products = (inverse.solve(gradients) * gradients).sum(dim=1)
            found[part] = (products * learned.row_shares[part.to(products.device)]).cpu()
    if not bool(found.isfinite().all()):
        row = int((~found.isfinite()).int().argmax())
        raise TrainingDivergedError(f"the self-influence of row {row} is {float(found[row])}; {REMEDY}")
    return found
