"""Which rows are to be forgotten, as people say it: positions, a mask, or a class."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.arguments import whole_number
from corrigible.data.dataset import all_labels, task_of
from corrigible.data.naming import class_number
from corrigible.data.protocol import Dataset, class_names_of
from corrigible.errors import DataError, RecipeError
from corrigible.printable import one_line

EXPECTED = 'expected positions of rows, a boolean mask over rows, or a class such as "class=3"'
CLASS = "class="


def forgotten_rows(dataset: Dataset, forget: Any = None, *, label: Any = None) -> Int[Tensor, " forgotten"]:
    """The positions of the rows to forget, each once, in order.

    Args:
        forget: positions, a boolean mask, or "class=…" with a class's name or number; None where ``label`` is given.
        label: a class's name or number, all rows of which are to be forgotten.

    Raises:
        RecipeError: neither of both or both, a label that is neither a name nor a whole number, or names of features,
            whose influence is limited instead.
        DataError: no rows, all rows, rows that there are not, or a class that there is not.
    """
    if (forget is None) == (label is None):
        raise RecipeError(f"expected either forget=… or label=…: {EXPECTED}")
    if label is None and isinstance(forget, str) and forget.startswith(CLASS):
        label = forget.removeprefix(CLASS)
    found = _positions(forget, len(dataset)) if label is None else _of_class(dataset, label)
    if len(found) == 0:
        raise DataError("no row is to be forgotten; expected at least one")
    if len(found) == len(dataset):
        raise DataError(f"all {len(dataset):,} rows are to be forgotten; expected some that are kept")
    return found


def _positions(forget: Any, num_rows: int) -> Int[Tensor, " forgotten"]:
    names = [forget] if isinstance(forget, str) else forget
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        raise RecipeError(
            f"forget names {', '.join(names)}; {EXPECTED}. The influence of a feature is taken away by "
            "corrigible.limit_influence(model, data, inputs=[…])"
        )
    if isinstance(forget, list | tuple) and len({isinstance(one, bool | np.bool_) for one in forget}) == 2:
        raise DataError(f"forget holds both booleans and numbers; {EXPECTED}")
    given = _tensor(forget)
    if given.shape == (0,):
        return torch.empty(0, dtype=torch.long)
    if given.dtype == torch.bool:
        if given.shape != (num_rows,):
            raise DataError(f"the mask has shape {tuple(given.shape)}; expected ({num_rows},), True where to forget")
        return given.nonzero()[:, 0]
    if given.ndim != 1 or given.is_floating_point() or given.is_complex():
        raise DataError(f"forget holds {given.dtype} of shape {tuple(given.shape)}; {EXPECTED}")
    given = given.long()
    if given.shape == (num_rows,) and bool(((given == 0) | (given == 1)).all()):
        raise DataError(
            f"forget holds only 0 and 1, as many as there are rows ({num_rows:,}); expected a mask to be boolean, or "
            "each position once"
        )
    outside = (given < 0) | (given >= num_rows)
    if bool(outside.any()):
        raise DataError(f"there is no row {int(given[outside][0])}; expected 0 to {num_rows - 1}")
    found: Tensor = given.unique()
    return found


def _tensor(forget: Any) -> Tensor:
    """The numbers or booleans; of a pandas Series those in its order, whatever its index."""
    try:
        if isinstance(forget, Tensor):
            return forget.cpu()
        found = np.asarray(forget)
        # Not all operations of PyTorch know unsigned numbers of more than 8 bits.
        return torch.tensor(found.astype(np.int64) if found.dtype.kind == "u" else found)
    except (TypeError, ValueError, RuntimeError) as error:
        said = one_line(str(error))
        raise DataError(f"forget is of type {type(forget).__name__} ({said}); {EXPECTED}") from error


def _of_class(dataset: Dataset, label: Any) -> Int[Tensor, " forgotten"]:
    task, labels, names = task_of(dataset), all_labels(dataset), class_names_of(dataset)
    if task.name not in ("classes", "ordered_classes"):
        raise DataError(f"the task {task.name!r} has no classes to forget; give positions of rows, or a mask")
    names = names or tuple(str(number) for number in range(int(labels.max()) + 1))
    number = class_number(label if isinstance(label, str) else whole_number("label", label), names)
    found = (labels == number).nonzero()[:, 0]
    if len(found) == 0:
        raise DataError(f"no row is of class {label}; expected a class that rows have")
    return found
