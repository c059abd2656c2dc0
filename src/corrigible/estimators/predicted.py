"""What a network predicts for rows, in float64: in float32 the last digits depend on how many rows run at once."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.models.modes import evaluating
from corrigible.models.monotone import has_directions
from corrigible.models.networks import copied
from corrigible.models.predictive import all_outputs, predictive
from corrigible.types import Task

ROWS_ALIKE = 128


def outputs_of(network: nn.Module, x: Float[Tensor, " row column"], task: Task) -> Float[Tensor, " row output"]:
    """The network's outputs, in float64."""
    return all_outputs(copied(network).double(), x, task=task)


def predicted(network: nn.Module, x: Float[Tensor, " row column"], task: Task) -> dict[str, Tensor]:
    """What the task reads from the outputs of each row: its probabilities, or its number.

    If columns have a direction, predictions never break it by rounding either. A sum of rounded products in one fixed
    order still rises with each of its terms. So all rows run in blocks of one size, in which every row is summed alike
    wherever it stands. And outputs are rounded to float32, whose steps exceed the errors of the exponential function.
    """
    if not has_directions(network):
        return task.observed(outputs_of(network, x, task))
    double, parts = copied(network).double(), []
    most = torch.finfo(torch.float32).max
    with evaluating(double), torch.no_grad():
        for some in x.double().split(ROWS_ALIKE):
            block = torch.cat([some, some.new_zeros(ROWS_ALIKE - len(some), some.shape[1])])
            outputs = predictive(double, block, task=task).outputs.clamp(-most, most).float().double()
            parts.append({name: values[: len(some)] for name, values in task.observed(outputs).items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
