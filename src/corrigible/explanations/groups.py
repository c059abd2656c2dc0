"""Which inputs stand or fall together: a table's feature, an image's segment, a word."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.features import check_columns, feature_index
from corrigible.types import Columns

Groups = Tensor | NDArray[Any] | Sequence[Any] | None
"""The number of each input's group, counted from 0: in the shape of one row, or of x where rows differ (segments of
images). None for the features that ``columns`` names, or every input on its own."""


def groups_of(
    x: Float[Tensor, " batch *input"], groups: Groups, columns: Columns | None
) -> Int[Tensor, " one_or_batch *input"]:
    """The groups with a leading axis of 1, or of the batch where rows differ.

    Raises:
        DataError: groups that do not fit x, or are negative; columns of another table.
    """
    if columns is not None:
        check_columns(x, columns)
    if groups is None:
        single = torch.arange(x[0].numel()).reshape(x.shape[1:]) if columns is None else feature_index(columns)
        return single[None].to(x.device)
    groups = _whole_numbers(groups)
    if groups.shape not in (x.shape[1:], x.shape):
        found, expected = tuple(groups.shape), tuple(x.shape[1:])
        raise DataError(f"groups have shape {found}; expected {expected}, or {tuple(x.shape)} where rows differ")
    lowest, highest, most = int(groups.min()), int(groups.max()), x[0].numel()
    if lowest < 0 or highest >= most:
        bad = lowest if lowest < 0 else highest
        raise DataError(f"groups hold {bad}; expected numbers from 0 to {most - 1}, as a row has {most} inputs")
    return (groups if groups.shape == x.shape else groups[None]).to(x.device, torch.long)


def _whole_numbers(groups: Any) -> Int[Tensor, " *input"]:
    try:
        found = torch.as_tensor(groups)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"groups are a {type(groups).__name__}; expected the number of each input's group") from error
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise DataError(f"groups hold {found.dtype} values; expected the number of each input's group")
    return found


def numbered_anew(labels: Int[Tensor, " one_or_batch *input"]) -> Int[Tensor, " one_or_batch *input"]:
    """Each row's groups in the same order, numbered without gaps."""
    flat = labels.flatten(1)
    occurs = flat.new_zeros(len(flat), int(flat.max()) + 1).scatter(1, flat, 1)
    return (occurs.cumsum(dim=1) - 1).gather(1, flat).reshape(labels.shape)


def by_group(
    attribution: Float[Tensor, " batch *input"], groups: Groups, *, num_groups: int | None = None
) -> Float[Tensor, " batch group"]:
    """The attribution summed over the inputs of each group.

    Raises:
        DataError: groups that do not fit.
    """
    labels = groups_of(attribution, groups, None).expand_as(attribution).flatten(1)
    count = int(labels.max()) + 1 if num_groups is None else num_groups
    return attribution.new_zeros(len(attribution), count).scatter_add(1, labels, attribution.flatten(1))


def shared_evenly(
    values: Float[Tensor, " batch group"], labels: Int[Tensor, " one_or_batch *input"]
) -> Float[Tensor, " batch *input"]:
    """Each group's value, divided evenly among its inputs."""
    flat = labels.flatten(1)
    size = values.new_zeros(len(flat), values.shape[1]).scatter_add(1, flat, torch.ones_like(flat).to(values))
    share = values / size.clamp_min(1)
    return share.gather(1, flat.expand(len(values), -1)).reshape(len(values), *labels.shape[1:])
