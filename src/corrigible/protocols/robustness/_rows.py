"""The rows of a data set as attacks and bounds take them, some at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import rows_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.models.modes import device_of, evaluating, like_parameters
from corrigible.outputs import class_logits
from corrigible.protocols.schedule import require_fit

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class SomeRows:
    """Rows on the model's device and in its precision."""

    index: Int[Tensor, " batch"]
    x: Float[Tensor, " batch *input"]
    y: Int[Tensor, " batch"]
    is_right: Bool[Tensor, " batch"]
    """Whether the model predicts the label."""

    def of(self, rows: Tensor) -> "SomeRows":
        return SomeRows(self.index[rows], self.x[rows], self.y[rows], self.is_right[rows])


def require_attackable(model: nn.Module, dataset: Dataset, epsilon: float) -> None:
    """Check the size of the changes, that the labels are classes, and that the model fits the data.

    Raises:
        RecipeError, UnsupportedModelError, DataError: one of these is not so.
    """
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 <= epsilon < float("inf"):
        raise RecipeError(f"epsilon is {epsilon!r}; expected a number of at least 0, in units of x")
    task = task_of(dataset)
    if task.name != "classes":
        raise UnsupportedModelError(
            f"the task of the data is {task.name!r}; whether a prediction withstands changes is counted for 'classes'"
        )
    require_fit(model, dataset)


def parts_of(model: nn.Module, dataset: Dataset) -> Iterator[SomeRows]:
    """All rows, some at a time, with what the model predicts."""
    for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE):
        rows = rows_of(dataset, index)
        x, y = like_parameters(rows.x, model), rows.y.to(device_of(model))
        yield SomeRows(index.to(x.device), x, y, predicted(model, x) == y)


def predicted(model: nn.Module, x: Float[Tensor, " batch *input"]) -> Int[Tensor, " batch"]:
    """The class that the model predicts for each row."""
    with evaluating(model), torch.no_grad():
        # A copy, because a model may work in place.
        return class_logits(model(x.clone())).argmax(dim=1) if len(x) else torch.zeros(0).long().to(x.device)


def sizes_of(dataset: Dataset, x: Float[Tensor, " batch *input"], epsilon: float) -> float | Tensor:
    """How far each input may move: epsilon, or 0 for the columns of categories."""
    columns = columns_of(dataset)
    if columns is None or not columns.has_categories:
        return epsilon
    return epsilon * (~torch.tensor(columns.one_hot, device=x.device)).to(x)


def require_range(x: Float[Tensor, " batch *input"], low: float | Tensor, high: float | Tensor) -> None:
    """Raises DataError for a row outside of the range that inputs are said to have."""
    least, most = (torch.as_tensor(end, dtype=x.dtype, device=x.device) for end in (low, high))
    outside = (x < least) | (x > most)
    if bool(outside.any()):
        raise DataError(
            f"x holds {float(x[outside][0]):g}, beyond low and high; give the range of the inputs, one number or one "
            "for each input: low=x.amin(0), high=x.amax(0)"
        )
