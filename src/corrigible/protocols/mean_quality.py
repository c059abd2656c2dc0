"""How well a model predicts on average: for classes its accuracy."""

import torch
from torch import Tensor, nn

from corrigible.data.dataset import all_labels, rows_of, task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.errors import DataError
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.predictive import predictive


def mean_quality(model: nn.Module, dataset: Dataset) -> float:
    """The mean quality of the model's predictions (`Task.quality`): for classes the accuracy; 1 is perfect.

    Raises:
        DataError: no row has a quality, as in a ranking of which no two rows can be compared.
    """
    task = task_of(dataset)
    parts: list[Tensor] = []
    with evaluating(model), torch.no_grad():
        size = rows_that_fit(model, like_parameters(rows_of(dataset, torch.tensor([0])).x, model))
        for index in torch.arange(len(dataset)).split(size):
            x = like_parameters(rows_of(dataset, index).x, model)
            # Not through a Forward, which would keep every layer's output.
            parts.append(predictive(model, x, task=task).outputs.cpu())
    # Of all rows at once, because in a ranking a row's quality is about the others.
    extra = {name: values.cpu() for name, values in extra_of(dataset).items()}
    found = task.quality(torch.cat(parts), all_labels(dataset), extra).double()
    if bool(found.isnan().all()):
        raise DataError(
            "no two of these rows are of the same query with different labels; give others, or leave out query"
        )
    return float(found.nanmean())
