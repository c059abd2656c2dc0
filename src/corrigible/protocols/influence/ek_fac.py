"""George et al. 2018, Fast approximate natural gradient descent in a Kronecker-factored eigenbasis (EK-FAC).

Grosse et al. 2023 use it for influence. Each layer's Gauss-Newton block is diagonal in the basis of the eigenvectors of
two small matrices, of the layer's inputs and of the gradients by its outputs; there its entries are mean squares. The
gradients are those of the loss's Hessian by the outputs, summed in full, so nothing is drawn. Blocks of different
layers count as independent.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import unfold

from corrigible.errors import UnsupportedModelError
from corrigible.models.flat_weights import FlatWeights
from corrigible.models.forward import Forward
from corrigible.protocols.influence.curvature import Curvature, output_curvature, root_gradients, roots_of
from corrigible.protocols.influence.inverses import LEAST_SHARE, Inverse, Vectors
from corrigible.protocols.influence.learned import Learned

ROWS_AT_ONCE = 128


@dataclass
class Block:
    """A linear or convolutional layer's part of the curvature."""

    layer: Any
    weight: str
    bias: str | None
    of_inputs: Tensor
    of_outputs: Tensor
    """Sums of outer products; their eigenvectors afterwards."""
    curvature: Tensor
    """(output, input): the entries in the basis of both."""

    def gathered(self, parts: dict[str, Tensor]) -> Float[Tensor, " query output input"]:
        """The layer's part of vectors, with the bias as one more input."""
        weight = parts[self.weight].flatten(1).unflatten(1, (*self.curvature.shape[:1], -1))
        return weight if self.bias is None else torch.cat([weight, parts[self.bias][:, :, None]], dim=2)

    def spread(self, found: Float[Tensor, " query output input"], parts: dict[str, Tensor]) -> None:
        """Write the layer's part back."""
        if self.bias is not None:
            parts[self.bias] = found[:, :, -1]
            found = found[:, :, :-1]
        parts[self.weight] = found.flatten(1)


def ek_fac_inverse(learned: Learned, kind: Curvature, damping: float | None) -> Inverse:
    """The inverse of the Gauss-Newton matrix, approximated layer by layer.

    Trainable weights that are of no linear or convolutional layer count by the diagonal alone. Without a damping of the
    caller's it is a hundredth of the largest entry, less the weight decay.

    Raises:
        UnsupportedModelError: penalties, whose curvature has no such form, or a layer that runs more than once.
    """
    if learned.terms:
        raise UnsupportedModelError(
            f"'ek_fac' knows the curvature of label losses alone, and {learned.terms[0].name!r} is a penalty; choose "
            "'conjugate_gradients' or 'exact'"
        )
    blocks = _blocks(learned)
    for column in _columns(learned, blocks):
        for block, (given, back) in zip(blocks, column, strict=True):
            block.of_inputs += torch.einsum("npi,npj->ij", given, given)
            block.of_outputs += torch.einsum("npi,npj->ij", back, back)
    for block in blocks:
        block.of_inputs, block.of_outputs = (torch.linalg.eigh(m)[1] for m in (block.of_inputs, block.of_outputs))
    for column in _columns(learned, blocks):
        for block, (given, back) in zip(blocks, column, strict=True):
            turned = torch.einsum("npo,npi->noi", back @ block.of_outputs, given @ block.of_inputs)
            block.curvature += turned.square().sum(dim=0)
    rest = _diagonal(learned, blocks)
    largest = max([float(block.curvature.max()) for block in blocks] + [float(v.max()) for v in rest.values()])
    damping = max(0.0, LEAST_SHARE * largest - learned.weight_decay) if damping is None else damping
    added = damping + learned.weight_decay
    return Inverse(lambda given: _solved(learned.weights, blocks, rest, given, added), damping, None, largest)


def _solved(
    weights: FlatWeights, blocks: list[Block], rest: dict[str, Tensor], given: Vectors, added: float
) -> Vectors:
    sizes = weights.sizes
    parts = dict(zip(weights.names, given.split(sizes, dim=1), strict=True))
    for block in blocks:
        turned = block.of_outputs.T @ block.gathered(parts).double() @ block.of_inputs / (block.curvature + added)
        block.spread((block.of_outputs @ turned @ block.of_inputs.T).to(given.dtype), parts)
    for name, entries in rest.items():
        parts[name] = (parts[name].double() / (entries + added)).to(given.dtype)
    return torch.cat([parts[name] for name in weights.names], dim=1)


def _blocks(learned: Learned) -> list[Block]:
    trainable, found = set(learned.weights.names), []
    for name, layer in learned.network.named_modules():
        prefix = f"{name}." if name else ""
        if not _has_block(layer) or f"{prefix}weight" not in trainable:
            continue
        bias = f"{prefix}bias" if f"{prefix}bias" in trainable else None
        outputs, inputs = layer.weight.flatten(1).shape
        sizes = (outputs, inputs + (bias is not None))
        found.append(Block(layer, f"{prefix}weight", bias, *(_zeros(learned, *s) for s in _squares(*sizes))))
    _require_untied(learned.network, found)
    if not found:
        raise UnsupportedModelError("'ek_fac' is for linear and convolutional layers, of which none can be trained")
    return found


def _require_untied(network: nn.Module, blocks: list[Block]) -> None:
    """Raises UnsupportedModelError for a parameter of two layers, whose curvature is not that of either."""
    users = Counter(id(value) for module in network.modules() for value in module._parameters.values())
    for block in blocks:
        for name in (block.weight, block.bias):
            if name is not None and users[id(network.get_parameter(name))] > 1:
                raise UnsupportedModelError(
                    f"{name!r} belongs to several layers; 'ek_fac' expects one layer for each parameter: choose "
                    "'conjugate_gradients' or 'exact'"
                )


def _has_block(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear)


def _squares(outputs: int, inputs: int) -> tuple[tuple[int, int], ...]:
    return (inputs, inputs), (outputs, outputs), (outputs, inputs)


def _zeros(learned: Learned, *shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.float64, device=learned.theta.device)


def _columns(learned: Learned, blocks: list[Block]) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """For some rows and one column of the roots of their curvature: each layer's inputs and the gradients behind it."""
    shares = learned.row_shares
    for index in learned.index.split(ROWS_AT_ONCE):
        batch = learned.batch(index)
        roots = roots_of(output_curvature(learned.network, batch, learned.loss))
        roots = roots * shares[index.to(shares.device), None, None].sqrt()
        seen: dict[int, list[tuple[Tensor, Tensor]]] = {id(block.layer): [] for block in blocks}
        hooks = [block.layer.register_forward_hook(_keeping(seen)) for block in blocks]
        try:
            outputs = Forward(learned.network, batch, track_input=False).outputs
        finally:
            for hook in hooks:
                hook.remove()
        kept = [_once(seen[id(block.layer)], block) for block in blocks]
        for column in roots.unbind(dim=2):
            backs = torch.autograd.grad(outputs, [found for _, found in kept], column, retain_graph=True)
            yield [
                (_given(block, given), _positions(block, back).double())
                for block, (given, _), back in zip(blocks, kept, backs, strict=True)
            ]


def _keeping(seen: dict[int, list[tuple[Tensor, Tensor]]]) -> Any:
    def keep(layer: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        seen[id(layer)].append((given[0].detach(), found))

    return keep


def _once(found: list[tuple[Tensor, Tensor]], block: Block) -> tuple[Tensor, Tensor]:
    if len(found) != 1:
        raise UnsupportedModelError(
            f"the layer of {block.weight!r} runs {len(found)} times in a pass; expected once: choose another method"
        )
    return found[0]


def _given(block: Block, given: Tensor) -> Float[Tensor, " row position input"]:
    """The layer's inputs, with a 1 for its bias."""
    layer = block.layer
    if isinstance(layer, nn.Conv2d):
        patches = unfold(given, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
        given = patches.transpose(1, 2)
    else:
        given = given.reshape(len(given), -1, given.shape[-1])
    given = given.double()
    return given if block.bias is None else torch.cat([given, torch.ones_like(given[:, :, :1])], dim=2)


def _positions(block: Block, back: Tensor) -> Float[Tensor, " row position output"]:
    if isinstance(block.layer, nn.Conv2d):
        return back.flatten(2).transpose(1, 2)
    return back.reshape(len(back), -1, back.shape[-1])


def _diagonal(learned: Learned, blocks: list[Block]) -> dict[str, Float[Tensor, " weight"]]:
    """The diagonal of the Gauss-Newton matrix for weights of no block."""
    covered = {name for block in blocks for name in (block.weight, block.bias)}
    rest = [name for name in learned.weights.names if name not in covered]
    if not rest:
        return {}
    total = sum(rows.double().square().sum(dim=0) for _, rows in root_gradients(learned))
    assert isinstance(total, Tensor)
    parts = dict(zip(learned.weights.names, total.split(learned.weights.sizes), strict=True))
    return {name: parts[name] for name in rest}
