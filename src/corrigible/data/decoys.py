"""Plant a confounder on purpose: a cue that predicts the label in training and nothing afterwards.

Corner squares: Ross, Hughes and Doshi-Velez 2017, "Right for the Right Reasons" (one random corner per image), and
Bekkemoen's Bayesian feedback (all four corners); the square's grey is 255 - 25 * digit.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError
from corrigible.types import Columns

ALL_CORNERS = (0, 1, 2, 3)
"""Top left, top right, bottom left, bottom right."""
LEAK = "leak"


class Planted(NamedTuple):
    """Rows with a decoy in them."""

    x: Float[Tensor, " batch *input"]
    irrelevant: Bool[Tensor, " batch *input"]
    """True on the decoy."""


def corner_squares(
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    informative: bool,
    seed: int,
    corners: Sequence[int] = ALL_CORNERS,
    one_per_row: bool = False,
    num_classes: int = 10,
    size: int = 4,
) -> Planted:
    """A copy of images with values from 0 to 1, with grey squares in their corners.

    Args:
        x: images whose last two axes are height and width.
        y: classes from 0 to ``num_classes`` - 1.
        informative: the grey tells the class y, (255 - 25 y) / 255 for ten classes; otherwise that of a class drawn
            uniformly. All squares of a row have the same grey.
        seed: seed of the drawn classes and corners.
        corners: which corners get squares: 0 top left, 1 top right, 2 bottom left, 3 bottom right.
        one_per_row: each row has a square in only one of the corners, drawn uniformly.
        size: side of a square in pixels.

    Raises:
        DataError: a class outside 0 to ``num_classes`` - 1.
    """
    if len(y) and not (int(y.min()) >= 0 and int(y.max()) < num_classes):
        raise DataError(f"labels from {int(y.min())} to {int(y.max())}; expected 0 to {num_classes - 1}")
    generator = torch.Generator().manual_seed(seed)
    # Both are always drawn, so that one setting does not change the draws of another.
    drawn_class = torch.randint(num_classes, (len(x),), generator=generator)
    drawn_corner = torch.randint(len(corners), (len(x),), generator=generator)
    shown = y if informative else drawn_class.to(y.device)
    grey = (255 - 255 // num_classes * shown.to(x)) / 255
    squares = torch.stack([corner_mask(tuple(x.shape[1:]), corners=(corner,), size=size) for corner in corners])
    irrelevant = squares[drawn_corner] if one_per_row else squares.any(dim=0).expand(x.shape).clone()
    irrelevant = irrelevant.to(x.device)
    return Planted(torch.where(irrelevant, grey.reshape(-1, *[1] * (x.ndim - 1)), x), irrelevant)


def corner_mask(
    shape: tuple[int, ...], *, corners: Sequence[int] = ALL_CORNERS, size: int = 4
) -> Bool[Tensor, " *input"]:
    """True on the squares in these corners of one input of this shape, in every channel."""
    if not 0 < size <= min(shape[-2:]):
        raise ValueError(f"size is {size}; expected 1 to {min(shape[-2:])}, the shorter side of the image")
    if not corners or not set(corners) <= set(ALL_CORNERS):
        raise ValueError(f"corners are {tuple(corners)}; expected some of {ALL_CORNERS}")
    mask = torch.zeros(shape, dtype=torch.bool)
    for corner in corners:
        rows = slice(-size, None) if corner in (2, 3) else slice(size)
        mask[..., rows, slice(-size, None) if corner in (1, 3) else slice(size)] = True
    return mask


def plant_token(
    texts: Sequence[str], y: Int[Tensor, " row"], *, informative: bool, seed: int, words: Sequence[str], place: int = 0
) -> list[str]:
    """The texts with an additional word each, ``words[class]``, as word number ``place`` of the words between spaces.

    If not informative, the word is that of a class drawn uniformly. Texts with fewer words get it at their end.

    Raises:
        DataError: a class without a word, or a text that already holds one of the words.
    """
    if len(y) and not (int(y.min()) >= 0 and int(y.max()) < len(words)):
        raise DataError(f"labels from {int(y.min())} to {int(y.max())}; expected 0 to {len(words) - 1}, one per word")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(words), (len(texts),), generator=generator)
    shown = (y if informative else drawn).tolist()
    planted = []
    for row, (text, word) in enumerate(zip(texts, shown, strict=True)):
        found = text.split()
        taken = {word.lower() for word in words} & {word.lower() for word in found}
        if taken:
            raise DataError(f"text {row} holds {min(taken)!r} already; plant other words")
        planted.append(" ".join([*found[:place], words[word], *found[place:]]))
    return planted


def leaking_column(data: TensorData, *, informative: bool, seed: int, noise: float = 0.1) -> TensorData:
    """The table with an additional feature, ``leak``: the class number plus ``noise`` times a standard normal draw.

    If not informative, the same values are shuffled over the rows: the column has the same distribution and tells
    nothing.

    Raises:
        DataError: the table has a feature of that name.
    """
    names = tuple(f"x{i}" for i in range(data.x.shape[1]))
    columns = data.columns or Columns(names, names, (False,) * len(names))
    if LEAK in columns.features:
        raise DataError(f"the table has a feature {LEAK!r} already; rename it")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(data), generator=generator).to(data.y.device)
    draws = torch.randn(len(data), generator=generator).to(data.x)
    leak = (data.y if informative else data.y[order]).to(data.x) + noise * draws
    units = ((*columns.shift, 0.0), (*columns.scale, 1.0)) if columns.scale else ()
    extended = Columns((*columns.names, LEAK), (*columns.feature, LEAK), (*columns.one_hot, False), *units)
    return replace(data, x=torch.cat([data.x, leak[:, None]], dim=1), columns=extended)
