"""Groups of inputs that are present or absent together: a table's feature, an image's segment, a word."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations.features import check_columns, feature_index
from corrigible.types import Columns

Groups = Tensor | NDArray[Any] | Sequence[Any] | str | None
"""The number of each input's group, counted from 0: in the shape of one row, or of x if rows differ (segments of
images). ``grid`` cuts images into 7 × 7 rectangles, ``slic`` into about 50 superpixels; ``token`` groups the numbers of
each word's vector, in texts of (token, dimension). None for the features that ``columns`` names, or every input on its
own; methods whose work grows fast with the groups take segments of large pictures and sequences instead, and say so."""
GRID = 7
log = logging.getLogger(__name__)
TOKEN = "token"


def groups_of(
    x: Float[Tensor, " batch *input"], groups: Groups, columns: Columns | None
) -> Int[Tensor, " one_or_batch *input"]:
    """The groups as numbers with a leading axis of size 1, or of the batch size if rows differ.

    Raises:
        DataError: groups that do not fit x, or are negative; columns of another table.
        RecipeError: a name that is not known.
    """
    if columns is not None:
        check_columns(x, columns)
    if groups is None:
        single = torch.arange(x[0].numel()).reshape(x.shape[1:]) if columns is None else feature_index(columns)
        return single[None].to(x.device)
    groups = _named(x, groups) if isinstance(groups, str) else groups
    groups = _whole_numbers(groups)
    if groups.shape not in (x.shape[1:], x.shape):
        found, expected = tuple(groups.shape), tuple(x.shape[1:])
        raise DataError(f"groups have shape {found}; expected {expected}, or {tuple(x.shape)} where rows differ")
    lowest, highest, most = int(groups.min()), int(groups.max()), x[0].numel()
    if lowest < 0 or highest >= most:
        bad = lowest if lowest < 0 else highest
        raise DataError(f"groups hold {bad}; expected numbers from 0 to {most - 1}, as a row has {most} inputs")
    return (groups if groups.shape == x.shape else groups[None]).to(x.device, torch.long)


def default_segments(x: Float[Tensor, " batch *input"], most_single: int) -> Int[Tensor, " *input"] | None:
    """Groups for rows of more than ``most_single`` inputs, which a record names; None for fewer inputs, and for tables.

    Pictures and volumes are cut into boxes of all channels, about 7 × 7 of them or fewer; sequences into the places
    along their first axis, or if they have one such place or too many, into pieces of equal length.
    """
    count = x[0].numel()
    if x.ndim == 2 or count <= most_single:
        return None
    most = min(GRID**2, most_single)
    axes = (1,) if x.ndim == 3 and x.shape[1] > 1 else tuple(range(2, x.ndim))
    most = most_single if axes == (1,) and x.shape[1] <= most_single else most
    parts = max(1, int(most ** (1 / len(axes)) + 1e-9))
    labels = torch.zeros(x.shape[1:], dtype=torch.long)
    for axis in axes:
        size = x.shape[axis]
        place = torch.arange(size) * min(parts, size) // size
        labels = labels * min(parts, size) + place.reshape(-1, *[1] * (x.ndim - 1 - axis))
    log.warning(
        f"{count} inputs in each row: they are explained in {int(labels.max()) + 1} segments; give groups for others, "
        f"such as torch.arange({count}).reshape{tuple(x.shape[1:])} for single inputs"
    )
    return labels


def _named(x: Float[Tensor, " batch *input"], name: str) -> Int[Tensor, " *labelled"]:
    if name == TOKEN:
        if x.ndim != 3:
            raise DataError(f"groups={TOKEN!r} is for texts, (batch, token, dimension); x has shape {tuple(x.shape)}")
        return torch.arange(x.shape[1], device=x.device)[:, None].expand(x.shape[1:])
    return _segments(x, name)


def _segments(x: Float[Tensor, " batch *input"], name: str) -> Int[Tensor, " *labelled"]:
    # Imported here: scikit-image takes a second to load, and few need it.
    from corrigible.explanations.segments import grid_segments, slic_segments

    if name not in ("grid", "slic"):
        raise RecipeError(unknown("groups", name, ("grid", "slic", TOKEN)))
    if x.ndim != 4:
        raise DataError(f"groups={name!r} cuts images, (batch, channel, height, width); x has shape {tuple(x.shape)}")
    return slic_segments(x) if name == "slic" else grid_segments(x, size=-(-max(x.shape[2:]) // GRID))


def _whole_numbers(groups: Any) -> Int[Tensor, " *input"]:
    try:
        found = torch.as_tensor(groups)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"groups are a {type(groups).__name__}; expected the number of each input's group") from error
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise DataError(f"groups hold {found.dtype} values; expected the number of each input's group")
    return found


def numbered_anew(labels: Int[Tensor, " one_or_batch *input"]) -> Int[Tensor, " one_or_batch *input"]:
    """Each row's groups renumbered without gaps, in the same order."""
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
    if isinstance(groups, str):
        raise DataError(f"groups are {groups!r}; expected their numbers, such as `segments` gives for the images")
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
