"""Train an estimator's network; if it learned all that it could at once, train it again in smaller steps.

Where labels are noisy or rows are few, the loss of held-out rows is lowest after a few epochs, while steps are still
large. From the same fresh weights, a second try takes a quarter of the learning rate and lets weights decay; the try
with the lower loss on held-out rows is kept.
"""

import copy
from dataclasses import replace
from typing import Any

from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.protocols.early_stopping import Watched, until_flat
from corrigible.protocols.schedule import Schedule, result_of

EARLY = 2 / 3
"""The share of the epochs before whose end the best one calls for a second try."""
SLOWER = 1 / 4
"""The learning rate of the second try, relative to that of the first."""


def trained(
    network: nn.Module,
    data: TensorData,
    schedule: Schedule,
    *,
    decay_of_second: float,
    rows: Int[Tensor, " row"],
    held_out: Int[Tensor, " held"],
    **settings: Any,
) -> Watched:
    """How the training went that the network, trained in place, comes from.

    Without rows that are held out there is one try.

    Args:
        decay_of_second: the weight decay of the second try.
        settings: as `until_flat` takes them.

    Raises:
        RecipeError, TrainingDivergedError: as `until_flat`.
    """
    fresh = copy.deepcopy(network.state_dict())
    first = result_of(until_flat(network, data, schedule, rows=rows, held_out=held_out, **settings))
    if not first.held_out_losses or first.best_epoch > EARLY * schedule.epochs:
        return first
    of_first = copy.deepcopy(network.state_dict())
    network.load_state_dict(fresh)
    schedule = replace(schedule, learning_rate=SLOWER * schedule.learning_rate, weight_decay=decay_of_second)
    second = result_of(until_flat(network, data, schedule, rows=rows, held_out=held_out, **settings))
    if min(second.held_out_losses) < min(first.held_out_losses):
        return second
    network.load_state_dict(of_first)
    return first
