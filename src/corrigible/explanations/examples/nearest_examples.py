"""Papernot and McDaniel 2018, Deep k-nearest neighbors: the training rows that a network sees most like a row."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, task_of
from corrigible.explanations.examples.latent import latent_parts, latent_rows
from corrigible.explanations.inputs import as_model


def nearest_examples(
    model: nn.Module, data: Any, query: Any, *, n: int = 10, layer: str | None = None
) -> tuple[Int[Tensor, " query n"], Float[Tensor, " query n"]]:
    """The positions of the ``n`` training rows nearest to each query in latent space, and their Euclidean distances.

    Args:
        data: the training rows, as `correct` takes them.
        query: the rows to find neighbours of, as ``data``.
        n: how many; all rows if there are fewer.
        layer: whose units are compared, summed over positions; None for the inputs of the last linear layer.

    Raises:
        UnsupportedModelError: no such layer.
    """
    dataset = as_dataset(data)
    rows, n = as_dataset(query, task=task_of(dataset)), whole_number("n", n, 1)
    network = as_model(model)
    asked, count = latent_rows(network, rows, layer=layer).double(), min(n, len(dataset))
    found, distances = torch.empty(len(rows), 0, dtype=torch.long), asked.new_empty(len(rows), 0)
    for index, part in latent_parts(network, dataset, layer=layer):
        # Not by the squares of the norms: their difference has no digits left where rows are alike.
        added = torch.cdist(asked, part.double(), compute_mode="donot_use_mm_for_euclid_dist")
        both = torch.cat([found, index.expand(len(rows), -1)], dim=1)
        distances, order = torch.cat([distances, added], dim=1).topk(min(count, both.shape[1]), dim=1, largest=False)
        found = both.gather(1, order.cpu())
    return found, distances.cpu()
