"""Regions to test: cells of images, features of tables, places of sequences; and equal regions elsewhere."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from corrigible.errors import DataError, RecipeError
from corrigible.explanations.features import feature_index, plain_columns
from corrigible.types import Columns, Features, Pixels

NUM_CELLS = 7
"""Default number of cells along the longer side of an image."""


def parts_of(shape: tuple[int, ...], columns: Columns | None, *, cell: int | None = None) -> Int[Tensor, " *input"]:
    """For each input the number of its part: a square cell of an image, a feature, or a place in a sequence.

    Cells are numbered row by row and are the same in all channels; those at the right and lower edge may be cut off.

    Args:
        shape: of one row: (channel, height, width), (column,) or (place, dimension).
        cell: side of a cell in pixels; None for a seventh of the longer side.

    Raises:
        DataError: rows of another form.
        RecipeError: a cell of less than 1 pixel.
    """
    if cell is not None and cell < 1:
        raise RecipeError(f"cell is {cell}; expected at least 1 pixel")
    if len(shape) == 1:
        return feature_index(columns or plain_columns(shape[0]))
    if len(shape) == 2:
        return torch.arange(shape[0])[:, None].expand(shape)
    if len(shape) != 3:
        raise DataError(f"rows have shape {shape}; expected images, tables, or sequences of (place, dimension)")
    side = cell or -(-max(shape[1:]) // NUM_CELLS)
    down, across = (torch.arange(length) // side for length in shape[1:])
    return (down[:, None] * -(-shape[2] // side) + across).expand(shape)


def masks_of_parts(parts: Int[Tensor, " *input"]) -> Bool[Tensor, " region *input"]:
    """One mask per part."""
    numbers = torch.arange(int(parts.max()) + 1).view(-1, *[1] * parts.ndim)
    return parts[None] == numbers


def elsewhere(
    mask: Bool[Tensor, " *input"], columns: Columns | None, *, num_regions: int, seed: int
) -> Bool[Tensor, " region *input"]:
    """Random regions of the same size that overlap this one as little as possible.

    For images and sequences they are the region, moved with wrap-around at the edges; for tables, as many other
    features. No region is repeated, so a small table has fewer than ``num_regions``.

    Raises:
        DataError: nothing lies outside of the region.
    """
    generator = torch.Generator().manual_seed(seed)
    found = (
        _moved(mask, num_regions, generator)
        if mask.ndim > 1
        else _other_features(mask, columns, num_regions, generator)
    )
    shared = (found & mask).flatten(1).sum(dim=1)
    found = found[shared == shared.min()] if len(found) else found
    if not len(found) or torch.equal(found[0], mask):
        raise DataError("nothing lies outside of the region; expected a smaller one")
    return found[:num_regions]


def _moved(mask: Tensor, num_regions: int, generator: torch.Generator) -> Tensor:
    """The region under the shifts with the least overlap only: all shifts of a large image would not fit in memory."""
    axes = tuple(range(1, mask.ndim)) if mask.ndim == 3 else (0,)
    sides = torch.tensor([mask.shape[axis] for axis in axes])
    places = torch.cartesian_prod(*(torch.arange(int(side)) for side in sides)).view(-1, len(axes))
    shared = _shared_when_moved(mask, axes).flatten()
    # Several shifts may give the same region, as for a stripe that is moved along its own length.
    same = places[shared == shared[0]]
    order = torch.randperm(len(places), generator=generator)
    shifts: list[tuple[int, ...]] = []
    seen = set()
    for place in order[(shared == shared.min())[order]].tolist():
        number = place if len(same) == 1 else min(_numbers((places[place] + same) % sides, sides))
        if number not in seen:
            seen.add(number)
            shifts.append(tuple(places[place].tolist()))
        if len(shifts) == num_regions:
            break
    return torch.stack([mask.roll(shift, axes) for shift in shifts])


def _shared_when_moved(mask: Tensor, axes: tuple[int, ...]) -> Int[Tensor, " *shift"]:
    """How many inputs the region shares with itself under each shift: its circular autocorrelation."""
    spectrum = torch.fft.fftn(mask.double(), dim=axes).abs().square()
    found = torch.fft.ifftn(spectrum, dim=axes).real.round().long()
    shared: Tensor = found.sum(dim=[axis for axis in range(mask.ndim) if axis not in axes])
    return shared


def _numbers(places: Tensor, sides: Tensor) -> list[int]:
    """The number of each place, counted row by row."""
    return places[:, 0].tolist() if len(sides) == 1 else (places[:, 0] * sides[1] + places[:, 1]).tolist()


def _other_features(mask: Tensor, columns: Columns | None, num_regions: int, generator: torch.Generator) -> Tensor:
    index = feature_index(columns or plain_columns(len(mask)))
    own = torch.zeros(int(index.max()) + 1, dtype=torch.bool).index_put((index,), mask, accumulate=True)
    others, count = (~own).nonzero().flatten(), int(own.sum())
    if len(others) < count:
        return mask[None][:0]
    drawn = [others[torch.randperm(len(others), generator=generator)[:count]] for _ in range(4 * num_regions)]
    chosen = torch.stack([torch.isin(torch.arange(len(own)), features) for features in drawn]).unique(dim=0)
    chosen = chosen[torch.randperm(len(chosen), generator=generator)]
    found: Tensor = chosen[:, index]
    return found


def as_region(mask: Bool[Tensor, " *input"], columns: Columns | None) -> Pixels | Features:
    """The region in the form that feedback takes: (height, width), feature names, or the mask itself."""
    if columns is not None:
        marked = [name for name, is_in in zip(columns.feature, mask.tolist(), strict=True) if is_in]
        return Features(tuple(dict.fromkeys(marked)))
    return Pixels((mask.any(dim=0) if mask.ndim == 3 else mask).cpu().numpy())


def box_of(region: Pixels | Features) -> tuple[int, int, int, int] | None:
    """Top, left, height and width of the smallest rectangle around a region of an image; None for other data."""
    if not isinstance(region, Pixels) or region.mask.ndim != 2:
        return None
    down, across = (torch.from_numpy(region.mask.any(axis=axis)).nonzero().flatten() for axis in (1, 0))
    if not len(down):
        return None
    top, left = int(down[0]), int(across[0])
    return top, left, int(down[-1]) - top + 1, int(across[-1]) - left + 1
