"""The kinds of data, and the functions that differ between them."""

from collections.abc import Callable
from typing import NamedTuple

from corrigible.data.dataset import Dataset
from corrigible.data.image import load_images
from corrigible.data.tablefile import load_table
from corrigible.data.text import load_text


class Kind(NamedTuple):
    """The functions that differ from one kind of data to another."""

    name: str
    load: Callable[..., Dataset]
    """(folder, split, **settings) -> the rows of that split."""


KINDS = {kind.name: kind for kind in (Kind("image", load_images), Kind("table", load_table), Kind("text", load_text))}
