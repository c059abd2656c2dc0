"""One number for what a model says of each row's label, by which models are compared."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, task_of
from corrigible.errors import UnsupportedModelError
from corrigible.models.predictive import all_outputs
from corrigible.tasks.classes import require_labels


def margins(model: nn.Module, rows: TensorData) -> Float[Tensor, " row"]:
    """For classes the logit of each row's class minus the log-sum-exp of all others, in float64.

    This is the logarithm of the odds of the label, which is nearly normal over seeds (Carlini et al. 2022, Membership
    inference attacks from first principles). For other tasks it is minus the task's loss.

    Raises:
        DataError: a label that is not one of the model's classes.
        UnsupportedModelError: outputs that are NaN or infinite.
    """
    task = task_of(rows)
    outputs = all_outputs(model, rows.x, task=task).double()
    if not bool(outputs.isfinite().all()):
        row = int((~outputs.isfinite()).flatten(1).any(dim=1).nonzero()[0])
        raise UnsupportedModelError(f"a model's output for row {row} is NaN or infinite; leave that model out")
    y, extra = rows.y.cpu(), {name: values.cpu() for name, values in rows.extra.items()}
    if task.logits is None:
        return -task.loss(outputs, y, extra)
    logits = task.logits(outputs)
    require_labels(y, logits.shape[1])
    is_label = torch.nn.functional.one_hot(y, logits.shape[1]).bool()
    return logits[is_label] - logits.masked_fill(is_label, -torch.inf).logsumexp(dim=1)
