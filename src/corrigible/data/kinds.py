"""The kinds of data, and the functions that differ between them."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from corrigible.data.dataset import Dataset
from corrigible.data.image import load_images
from corrigible.data.table import OF_CLASSES
from corrigible.data.tablefile import load_table
from corrigible.data.text import load_text
from corrigible.tasks import TASKS


class Kind(NamedTuple):
    """What differs from one kind of data to another."""

    name: str
    load: Callable[..., Dataset]
    """(folder, split, **settings) -> the rows of that split."""
    tasks: Collection[str] = OF_CLASSES
    """Tasks whose labels the files can hold; for others, a recipe names a function that loads the rows."""


KINDS = {
    kind.name: kind
    for kind in (Kind("image", load_images), Kind("table", load_table, tuple(TASKS)), Kind("text", load_text))
}
