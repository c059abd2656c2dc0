"""Gradients of the mean loss of rows by a model's parameters, over batches."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import TensorData
from corrigible.models.forward import Forward
from corrigible.models.modes import device_of, untouched
from corrigible.protocols.unlearning.forgetting import Forgetting, trainable

ROWS_AT_ONCE = 256


def mean_losses(forgetting: Forgetting, model: nn.Module, rows: TensorData) -> Iterator[Tensor]:
    """Parts of the mean task loss of the rows, by their weights, whose sum it is; in eval mode, with gradients."""
    device, total = device_of(model), total_weight(rows) or 1.0
    for index in torch.arange(len(rows)).split(ROWS_AT_ONCE):
        batch = collate(rows, index).to(device)
        with untouched(model, forgetting.seed):
            forward = Forward(model, batch, seed=forgetting.seed, track_input=False).unobserved()
            losses = forgetting.task.loss(forward.outputs, batch.y, batch.extra)
            part = (losses if batch.weight is None else losses * batch.weight.to(losses)).sum() / total
        yield part


def total_weight(rows: TensorData) -> float:
    """The sum of the rows' weights; their number, where they have none."""
    return float(len(rows)) if rows.weight is None else float(rows.weight.double().sum())


def loss_gradients(forgetting: Forgetting, rows: TensorData) -> dict[str, Tensor]:
    """The gradient of the mean task loss by each trainable parameter, 0 for one that takes no part.

    Raises:
        NoGradientError: every parameter is frozen.
    """
    model = forgetting.copy()
    trainable(model)
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    total = {name: torch.zeros_like(p) for name, p in named.items()}
    for part in mean_losses(forgetting, model, rows):
        found = torch.autograd.grad(part, list(named.values()), allow_unused=True)
        for name, gradient in zip(named, found, strict=True):
            if gradient is not None:
                total[name] += gradient
    return total
