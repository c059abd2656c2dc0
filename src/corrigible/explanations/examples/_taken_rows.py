"""Rows of a shape that the model cannot take, told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from corrigible.data.dataset import rows_of
from corrigible.data.protocol import Dataset
from corrigible.errors import CorrigibleError, DataError
from corrigible.explanations.inputs import ABOUT_SHAPE


@contextmanager
def taking(dataset: Dataset) -> Iterator[None]:
    """A context in which the model runs on these rows.

    Raises:
        DataError: it cannot, because of their shape.
    """
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:
        if isinstance(error, CorrigibleError | torch.OutOfMemoryError) or not ABOUT_SHAPE.search(str(error)):
            raise
        shape = (len(dataset), *rows_of(dataset, torch.tensor([0])).x.shape[1:])
        raise DataError(
            f"x has shape {shape}, which the model cannot take ({' '.join(str(error).split())}); expected the shape "
            "the model was trained on"
        ) from error
