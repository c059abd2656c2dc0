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
from corrigible.types import Batch

MOST_ROWS, MOST_NUMBERS = 512, 2**22
"""Rows at once, fewer where a layer sees many positions of each; numbers of a layer's inputs, or row gradients."""


@dataclass
class Block:
    """A linear or convolutional layer's part of the curvature."""

    layer: Any
    weight: str
    bias: str | None
    of_inputs: Tensor
    of_outputs: Tensor
    """Sums of outer products; their eigenvectors afterwards, in the network's precision."""
    curvature: Tensor
    """(output, input): the entries in the basis of both."""

    def turn(self) -> None:
        """From the sums of outer products to their eigenvectors."""
        dtype = self.layer.weight.dtype
        self.of_inputs, self.of_outputs = (torch.linalg.eigh(m)[1].to(dtype) for m in (self.of_inputs, self.of_outputs))

    def add_squares(self, given: Tensor, backs: list[Tensor]) -> None:
        """Add the squares of each row's gradients, one for each column, in the basis of both."""
        if not backs:
            return
        given = given @ self.of_inputs
        backs = [back @ self.of_outputs for back in backs]
        if given.shape[1] == 1:  # The square of a product is the product of the squares.
            self.curvature += sum(back[:, 0].square() for back in backs).T @ given[:, 0].square()  # type: ignore[union-attr]
            return
        at_once = max(1, MOST_NUMBERS // self.curvature.numel())
        for back in backs:
            for some, other in zip(back.split(at_once), given.split(at_once), strict=True):
                self.curvature += (some.transpose(1, 2) @ other).square().sum(dim=0)

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
    for shares, seen in _seen(learned, blocks):
        for block, (given, backs) in zip(blocks, seen, strict=True):
            block.of_inputs += _outer((given * shares.sqrt()[:, None, None]).flatten(0, 1))
            block.of_outputs += sum(_outer(back.flatten(0, 1)) for back in backs)
    for block in blocks:
        block.turn()
    for _, seen in _seen(learned, blocks):
        for block, (given, backs) in zip(blocks, seen, strict=True):
            block.add_squares(given, backs)
    rest = _diagonal(learned, blocks)
    largest = max([float(block.curvature.max()) for block in blocks] + [float(v.max()) for v in rest.values()])
    damping = max(0.0, LEAST_SHARE * largest - learned.weight_decay) if damping is None else damping
    added = damping + learned.weight_decay
    return Inverse(lambda given: _solved(learned.weights, blocks, rest, given, added), damping, None, largest)


def _outer(rows: Float[Tensor, " row number"]) -> Float[Tensor, " number number"]:
    return rows.T @ rows


def _solved(
    weights: FlatWeights, blocks: list[Block], rest: dict[str, Tensor], given: Vectors, added: float
) -> Vectors:
    sizes = weights.sizes
    parts = dict(zip(weights.names, given.split(sizes, dim=1), strict=True))
    for block in blocks:
        turned = block.of_outputs.T @ block.gathered(parts) @ block.of_inputs
        turned /= (block.curvature + added).to(given.dtype)
        block.spread(block.of_outputs @ turned @ block.of_inputs.T, parts)
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


def _seen(learned: Learned, blocks: list[Block]) -> Iterator[tuple[Tensor, list[tuple[Tensor, list[Tensor]]]]]:
    """For some rows what each counts for, and for each layer its inputs and the gradients behind it.

    There is one gradient for each column of the roots of the rows' curvature that is not 0.
    """
    at_once = _rows_at_once(learned, blocks)
    for index in learned.index.split(at_once):
        batch, shares = learned.batch(index), learned.row_shares[index.to(learned.row_shares.device)]
        roots = roots_of(output_curvature(learned.network, batch, learned.loss)) * shares[:, None, None].sqrt()
        outputs, kept = _passed(learned, blocks, batch)
        sizes = roots.square().sum(dim=(0, 1))
        columns = roots[:, :, sizes > torch.finfo(roots.dtype).eps ** 2 * sizes.sum()].unbind(dim=2)
        layers = [found for _, found in kept]
        backs = [torch.autograd.grad(outputs, layers, column, retain_graph=True) for column in columns]
        yield (
            shares,
            [
                (_given(block, given), [_positions(block, back[place]) for back in backs])
                for place, (block, (given, _)) in enumerate(zip(blocks, kept, strict=True))
            ],
        )


def _passed(learned: Learned, blocks: list[Block], batch: Batch) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The outputs for these rows, and what goes into each layer and comes out of it."""
    seen: dict[int, list[tuple[Tensor, Tensor]]] = {id(block.layer): [] for block in blocks}
    hooks = [block.layer.register_forward_hook(_keeping(seen)) for block in blocks]
    try:
        outputs = Forward(learned.network, batch, track_input=False).outputs
    finally:
        for hook in hooks:
            hook.remove()
    return outputs, [_once(seen[id(block.layer)], block) for block in blocks]


def _rows_at_once(learned: Learned, blocks: list[Block]) -> int:
    """As many as keep the inputs of each layer, position by position, small."""
    _, kept = _passed(learned, blocks, learned.batch(learned.index[:1]))
    largest = max(_given(block, given).numel() for block, (given, _) in zip(blocks, kept, strict=True))
    return max(1, min(MOST_ROWS, MOST_NUMBERS // largest))


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
