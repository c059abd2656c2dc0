"""Charpiat et al. 2019, Input similarity from the neural network perspective: the cosine of two rows' gradients."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from corrigible.batches import collate
from corrigible.data.dataset import as_dataset, labelled, task_of
from corrigible.data.protocol import Dataset
from corrigible.explanations.examples._taken_rows import taking
from corrigible.explanations.examples.row_gradients import row_gradients, rows_in_memory
from corrigible.models.flat_weights import FlatWeights, flat_weights
from corrigible.models.modes import device_of, untouched
from corrigible.models.networks import copied, network_of, require_differentiable


def gradient_similarity(model: nn.Module, data: Any, query: Any) -> Float[Tensor, " query row"]:
    """The cosine, from -1 to 1, between the gradients of each query's loss and of each training row's.

    Above 0 a small step on the training row lowers the query's loss, below 0 it raises it. The gradients are with
    respect to the trainable weights, at the model in eval mode.

    Args:
        data: the training rows, as `correct` takes them.
        query: rows with labels, as ``data``.

    Raises:
        DataError: rows of a shape that the model cannot take.
    """
    network, dataset = copied(network_of(model)), labelled(as_dataset(data))
    require_differentiable(network)
    rows, weights = labelled(as_dataset(query, task=task_of(dataset))), flat_weights(network)
    with untouched(network, 0):
        asked = _directions(network, weights, rows, torch.arange(len(rows)))
        parts = rows_in_memory(torch.arange(len(dataset)), weights.count)
        return torch.cat([asked @ _directions(network, weights, dataset, part).T for part in parts], dim=1).cpu()


def _directions(network: nn.Module, weights: FlatWeights, dataset: Dataset, index: Tensor) -> Tensor:
    batch = collate(dataset, index).to(device_of(network))
    with taking(dataset):
        return normalize(row_gradients(network, weights, batch).double(), dim=1)
