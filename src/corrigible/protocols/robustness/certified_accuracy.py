"""Gowal et al. 2018, On the effectiveness of interval bound propagation for training verifiably robust models."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from corrigible.data.dataset import as_dataset
from corrigible.models.bounds import logit_bounds
from corrigible.models.networks import network_of
from corrigible.protocols.robustness._rows import parts_of, require_attackable, require_range, sizes_of
from corrigible.protocols.robustness.measured_robustness import CertifiedAccuracy


def certified_accuracy(
    model: nn.Module, data: Any, *, epsilon: float, low: float | Tensor = 0.0, high: float | Tensor = 1.0
) -> CertifiedAccuracy:
    """The share of rows that are predicted right whatever change of at most ``epsilon`` each input makes.

    Interval bounds of the logits prove it, up to rounding in the model's precision: the label's logit at its least is
    above all others at their largest. The share is a lower bound. The bounds are loose for deep networks that were not
    trained for them, whose share is often 0. Columns of a table's categories stay as they are.

    Args:
        data: ``(x, y)`` or a map-style data set, of classes.
        epsilon: in units of x.
        low, high: the range of the inputs, one number or one for each input; rows must lie in it.

    Raises:
        RecipeError: an epsilon below 0.
        DataError: rows outside of the range, or that the model cannot run on.
        UnsupportedModelError: data that are not of classes, or a function of the model without known bounds.
    """
    network, dataset = network_of(model), as_dataset(data)
    require_attackable(network, dataset, epsilon)
    is_right, is_certified = [], []
    for rows in parts_of(network, dataset):
        require_range(rows.x, low, high)
        size = sizes_of(dataset, rows.x, epsilon)
        ends = (torch.as_tensor(end, dtype=rows.x.dtype, device=rows.x.device) for end in (low, high))
        nearest, furthest = next(ends), next(ends)
        least, most = logit_bounds(network, (rows.x - size).maximum(nearest), (rows.x + size).minimum(furthest))
        is_label = one_hot(rows.y, least.shape[1]).bool()
        holds = least.detach()[is_label] > most.detach().masked_fill(is_label, -torch.inf).amax(dim=1)
        is_right.append(rows.is_right.cpu())
        is_certified.append((holds & rows.is_right).cpu())
    return CertifiedAccuracy(float(epsilon), torch.cat(is_right), torch.cat(is_certified))
