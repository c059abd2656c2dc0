"""Fully connected networks for flattened images and for tables."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from corrigible.models.affine import Numbers, affine


def mlp(
    inputs: int,
    num_classes: int,
    centre: Numbers = 0.0,
    scale: Numbers = 1.0,
    *,
    hidden: Sequence[int] = (50, 30),
) -> nn.Sequential:
    """ReLU network on the flattened input; the default sizes are Ross et al.'s (2017).

    Args:
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.
    """
    sizes = _sizes(inputs, hidden)
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes), *affine(centre, scale))


def table_mlp(
    columns: int,
    num_classes: int,
    centre: Numbers = 0.0,
    scale: Numbers = 1.0,
    *,
    hidden: Sequence[int] = (64, 32),
    dropout: float = 0.1,
) -> nn.Sequential:
    """Network for an encoded table: smooth SiLU activations, dropout after each hidden layer.

    A category enters as float one-hot columns, on which the first layer acts as an embedding.

    Args:
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.
    """
    sizes = _sizes(columns, hidden)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.SiLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes), *affine(centre, scale))


def _sizes(first: int, hidden: Sequence[int]) -> list[int]:
    if any(size < 1 for size in hidden):
        raise ValueError(f"hidden sizes are {list(hidden)}; expected numbers of at least 1")
    return [first, *hidden]
