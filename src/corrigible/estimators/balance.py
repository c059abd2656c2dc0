"""Wüthrich 2020, Bias regularization in neural network models for general insurance pricing, section 3.

A network whose training ends early has not reached the optimum, at which predictions would sum to the labels. A shift
of its outputs makes up for that: for counts and positive amounts, whose outputs are logarithms of means, it multiplies
every prediction by the same factor, and of amounts it adds the same to each. Classes and quantiles stay as they are:
a shift would move rows from one class to another, and quantiles need not sum to the labels.
"""

import torch
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, task_of
from corrigible.models.predictive import all_outputs
from corrigible.models.tabm import TabM
from corrigible.surgery.limited_inputs import LimitedInputs


def balance(network: nn.Module, data: TensorData) -> None:
    """Shift the network's outputs, in place, so that predictions of these rows sum to their labels.

    Those of a student sum to what its teacher says.

    Weights of rows count, and a mean per unit of exposure is taken times the exposure. A network that is no `TabM`,
    with limited inputs or without, or of a task without such a sum, is left as it is.
    """
    task = task_of(data)
    inner = network.network if isinstance(network, LimitedInputs) else network
    if not isinstance(inner, TabM) or task.name not in ("amounts", "counts", "positive_amounts"):
        return
    assert isinstance(network, TabM | LimitedInputs)
    outputs = all_outputs(network, data.x, task=task)[:, 0].double()
    y = data.extra.get("teacher", data.y).to(outputs)
    weight = torch.ones_like(y) if data.weight is None else data.weight.to(y)
    if task.name == "amounts":
        by = (weight * (y - outputs)).sum() / weight.sum()
    else:
        exposure = data.extra.get("exposure", torch.ones_like(y)).to(y)
        by = ((weight * y).sum() / (weight * exposure * outputs.exp()).sum()).log()
    network.shift(_of_first(by, task.num_outputs))


def _of_first(by: Tensor, num_outputs: int) -> Tensor:
    """The shift of the first output; a second, the logarithm of a variance, stays."""
    return torch.cat([by[None], by.new_zeros(num_outputs - 1)])
