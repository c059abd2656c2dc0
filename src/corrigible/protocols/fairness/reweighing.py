"""Kamiran and Calders 2012, Data preprocessing techniques for classification without discrimination: weights of rows
under which label and group are independent.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import DataError
from corrigible.protocols.fairness.row_values import values_of_rows


def reweighing(y: Any, group: Any, *, weight: Any = None) -> Float[Tensor, " row"]:
    """The weight of each row: the share of its label times the share of its group, over the share of both together.

    Train with it as sample weight; predictions need no group. For amounts give a band of each as ``y``.

    Args:
        y, group: one value of each row: numbers, texts or truth values, in an array, a list or a tensor.
        weight: what each row counts already; None for 1.

    Raises:
        DataError: another number of rows, or a row without a value.
    """
    label, of_group = _places("y", y), _places("group", group)
    found = torch.ones(len(label)) if weight is None else torch.as_tensor(weight)
    if not len(label) == len(of_group) == len(found) or not len(label):
        raise DataError(
            f"y has {len(label)} rows, group {len(of_group)} and weight {len(found)}; expected as many each"
        )
    counts, pair = found.double(), label * (int(of_group.max()) + 1) + of_group
    shares = [_sums(place, counts)[place] / counts.sum() for place in (label, of_group, pair)]
    return (counts * shares[0] * shares[1] / shares[2].clamp_min(1e-300)).float()


def _places(name: str, values: Any) -> Tensor:
    """The place of each row's value among the different ones."""
    found = values_of_rows(name, values)
    places = {value: place for place, value in enumerate(dict.fromkeys(found))}
    return torch.tensor([places[value] for value in found], dtype=torch.long)


def _sums(place: Tensor, counts: Tensor) -> Tensor:
    return torch.zeros(int(place.max()) + 1, dtype=torch.float64).index_add(0, place, counts)
