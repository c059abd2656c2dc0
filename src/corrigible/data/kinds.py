"""What the rest of the package must know about each kind of data."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.drawing import draw_image, draw_table
from corrigible.data.image import black, load_images
from corrigible.data.tablefile import average, load_table


class Kind(NamedTuple):
    """The functions that differ from one kind of data to another."""

    name: str
    load: Callable[..., TensorData]
    """(folder, split, **settings) -> the rows of that split."""
    neutral: Callable[[Tensor], Tensor]
    """x -> a tensor of its shape that says "nothing here"."""
    draw: Callable[..., str]
    """(one input, its attribution or None, columns or None, *, scale) -> a piece of HTML."""


IMAGE = Kind("image", load_images, black, draw_image)
TABLE = Kind("table", load_table, average, draw_table)
KINDS = {kind.name: kind for kind in (IMAGE, TABLE)}
