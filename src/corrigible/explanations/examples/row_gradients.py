"""The gradient of each row's loss with respect to the weights, many rows at once."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from corrigible.errors import UnsupportedModelError
from corrigible.models.flat_weights import FlatWeights
from corrigible.models.forward import Forward, Loss
from corrigible.types import Batch

MOST_NUMBERS = 2**24
"""Numbers of gradients that are in memory together."""


def loss_of_task(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """The loss of the batch's task, one per row."""
    return forward.task.loss(forward.outputs, batch.y, batch.extra)


def row_gradients(
    model: nn.Module, weights: FlatWeights, batch: Batch, *, loss: Loss = loss_of_task
) -> Float[Tensor, " row weight"]:
    """Each row's gradient of its loss with respect to the trainable weights, in the model's current mode.

    Raises:
        UnsupportedModelError: a loss that depends on the weights otherwise than through each row's own outputs.
    """
    forward = Forward(model, batch, track_input=False)
    losses = loss(forward, batch)
    slopes, *of_weights = _slopes(model, weights, losses.sum(), forward.outputs)
    found = pulled_back(model, weights, batch, slopes)
    expected = torch.cat([part.flatten() for part in of_weights])
    size = float(found.abs().sum(dim=0).max()) + float(expected.abs().max())
    if float((found.sum(dim=0) - expected).abs().max()) > 1e-3 * max(size, torch.finfo(found.dtype).tiny):
        raise UnsupportedModelError(
            "the rows' gradients do not sum to that of the batch: the loss looks at more than each row's outputs, or "
            "rows mix; expected a loss of each row's own outputs, and a model without batch statistics"
        )
    return found


def _slopes(model: nn.Module, weights: FlatWeights, total: Tensor, outputs: Tensor) -> list[Tensor]:
    named = dict(model.named_parameters())
    wanted = [outputs, *(named[name] for name in weights.names)]
    found = torch.autograd.grad(total, wanted, allow_unused=True)
    return [torch.zeros_like(value) if part is None else part for part, value in zip(found, wanted, strict=True)]


def pulled_back(
    model: nn.Module, weights: FlatWeights, batch: Batch, slopes: Float[Tensor, " row output"]
) -> Float[Tensor, " row weight"]:
    """For each row the gradient of Σ slopes · outputs with respect to the weights.

    All rows at once by ``vmap``; one after the other where a layer has no rule for it, such as a recurrent one.
    """
    forward = Forward(model, batch, track_input=False)
    read: Callable[[Any], Tensor] = forward.task.outputs
    named = dict(model.named_parameters())
    values = {name: named[name].detach() for name in weights.names}

    def of_row(x: Tensor, slope: Tensor) -> dict[str, Tensor]:
        def outputs(at: dict[str, Tensor]) -> Tensor:
            return read(functional_call(model, at, (x[None],)))[0]

        found: dict[str, Tensor] = vjp(outputs, values)[1](slope)[0]
        return found

    try:
        return weights.joined(vmap(of_row)(forward.x, slopes)).detach()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError):  # Of another cause it is raised again by the plain pass.
        return _one_after_the_other(weights, forward, slopes, [named[name] for name in weights.names])


def _one_after_the_other(
    weights: FlatWeights, forward: Forward, slopes: Tensor, parameters: list[nn.Parameter]
) -> Float[Tensor, " row weight"]:
    totals = (forward.outputs * slopes).sum(dim=1)
    found = []
    for total in totals:
        parts = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
        pairs = zip(parts, parameters, strict=True)
        found.append(torch.cat([(torch.zeros_like(p) if part is None else part).flatten() for part, p in pairs]))
    return torch.stack(found)


def rows_in_memory(index: Tensor, num_weights: int) -> Iterator[Tensor]:
    """The positions in parts so small that the gradients of each fit in memory."""
    yield from index.split(max(1, min(512, MOST_NUMBERS // max(num_weights, 1))))
