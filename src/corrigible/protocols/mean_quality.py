"""How well a model predicts on average: for classes its accuracy."""

import torch
from torch import Tensor, nn

from corrigible.data.dataset import rows_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.predictive import predictive


def mean_quality(model: nn.Module, dataset: Dataset) -> float:
    """The mean quality of the model's predictions (`Task.quality`): for classes the accuracy; 1 is perfect."""
    task = task_of(dataset)
    found: list[Tensor] = []
    with evaluating(model), torch.no_grad():
        size = rows_that_fit(model, like_parameters(rows_of(dataset, torch.tensor([0])).x, model))
        for index in torch.arange(len(dataset)).split(size):
            rows = rows_of(dataset, index)
            # Not through a Forward, which would keep every layer's output.
            outputs = predictive(model, like_parameters(rows.x, model), task=task).outputs.cpu()
            extra = {name: values.cpu() for name, values in rows.extra.items()}
            found.append(task.quality(outputs, rows.y.cpu(), extra))
    return float(torch.cat(found).double().mean())
