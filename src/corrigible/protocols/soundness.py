"""Whether training left a model that still predicts: steps that are too large can ruin it without any NaN.

The training loop sees the loss before each step, so the effect of the last one is looked at here, in eval mode.
"""

import logging
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, rows_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.errors import TrainingDivergedError
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.own_outputs import spread_rows
from corrigible.training import RUINED

log = logging.getLogger(__name__)

LARGEST_LOGIT = 1e4
"""A typical logit, or logarithm of a mean, beyond which outputs have no meaning, if it was not there before."""
NO_SPREAD = 1e-6
"""Spread over rows, relative to the outputs, below which a model gives the same for every row."""
LOWER = "lower the learning rate (it is {:g}) or the weights of penalties"


@dataclass(frozen=True)
class Soundness:
    """A model's outputs for a few training rows before it is trained."""

    rows: TensorData
    before: Float[Tensor, " row output"]

    def require_kept(self, model: nn.Module, learning_rate: float) -> None:
        """Check the outputs after training; that they became the same for all rows is said in a log record.

        Raises:
            TrainingDivergedError: outputs that are NaN, infinite or without bounds, or a loss far above that before.
        """
        after, lower = _outputs(model, self.rows), LOWER.format(learning_rate)
        if not bool(after.isfinite().all()):
            raise TrainingDivergedError(f"after the last step the model's output is no longer a finite number; {lower}")
        if why := self._ruin(after):
            raise TrainingDivergedError(f"training ruined the model: {why}; {lower}")
        if _is_constant(after) and not _is_constant(self.before):
            log.warning(f"after training the model gives the same outputs for every row; {lower}")

    def _ruin(self, after: Float[Tensor, " row output"]) -> str:
        """What is wrong with the outputs after training; empty if nothing is."""
        task = task_of(self.rows)
        size, was = (float(outputs.abs().median()) for outputs in (after, self.before))
        if task.reads != "numbers" and size > LARGEST_LOGIT * max(was, 1.0):
            return f"its outputs, {task.reads}, are about {size:.1g} in size"
        y, extra = self.rows.y.cpu(), {name: values.cpu() for name, values in self.rows.extra.items()}
        loss, first = (float(task.loss(outputs, y, extra).mean()) for outputs in (after, self.before))
        if loss > RUINED * max(first, 1.0):
            return f"the mean loss on its training rows is {loss:.2g}, before it was {first:.2g}"
        return ""


def soundness_of(model: nn.Module, dataset: Dataset, most: int) -> Soundness:
    """The outputs of an untrained or trained model, to compare with those after training."""
    rows = rows_of(dataset, spread_rows(len(dataset), most))
    return Soundness(rows, _outputs(model, rows))


def _outputs(model: nn.Module, rows: TensorData) -> Float[Tensor, " row output"]:
    with evaluating(model), torch.no_grad():
        found: Tensor = task_of(rows).outputs(model(like_parameters(rows.x, model).clone())).cpu().double()
    return found


def _is_constant(outputs: Float[Tensor, " row output"]) -> bool:
    spread = outputs.amax(dim=0) - outputs.amin(dim=0)
    return len(outputs) > 1 and bool((spread <= NO_SPREAD * (1 + outputs.abs().amax(dim=0))).all())
