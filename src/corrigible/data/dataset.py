"""Rows to learn from: tensors in memory, or any map-style data set of (x, y) or (x, y, group)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from corrigible.data.arrays import frame_columns, numbers, stacked, whole_numbers, whole_numbers_of
from corrigible.data.tokens import Tokens
from corrigible.errors import DataError
from corrigible.tasks import CLASSES, TaskChoice, task_named
from corrigible.types import Columns, Task


@runtime_checkable
class Dataset(Protocol):
    """What every data set offers; row i is (x, y) or (x, y, group)."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> tuple[Any, ...]: ...


@dataclass(frozen=True)
class TensorData:
    """A data set held in memory."""

    x: Float[Tensor, " row *input"]
    y: Shaped[Tensor, " row *label"]
    """Class numbers, or what the task expects."""
    group: Int[Tensor, " row"] | None = None
    columns: Columns | None = None
    """For a table: which columns of ``x`` make up which feature."""
    class_names: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    tokens: Tokens | None = None
    """For texts, whose ``x`` is (row, token, dimension): the words."""
    weight: Float[Tensor, " row"] | None = None
    """Sample weight: the weight of each row's label loss."""
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    """Further tensors with one entry per row, such as "exposure", for tasks, losses and penalties that ask for them."""
    task: TaskChoice = CLASSES
    """What the labels mean: a name in ``TASKS``, {"name": …, setting: …}, or a `Task`; afterwards always a `Task`."""

    def __post_init__(self) -> None:
        if not isinstance(self.task, Task):
            task = task_named(self.task, self.y)
            object.__setattr__(self, "task", task)
            object.__setattr__(self, "y", task.check(self.y))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        if self.group is None:
            return self.x[row], self.y[row]
        return self.x[row], self.y[row], self.group[row]


def as_dataset(data: Any, *, task: Task | None = None) -> Dataset:
    """A data set from ``(x, y)`` or ``(x, y, group)`` arrays, tensors or frames; a map-style data set is unchanged.

    Arrays and frames are copied and become float32, tensors of floats keep their type.

    Args:
        task: that of other rows, such as the training rows, which these rows share; None for the data's own.

    Raises:
        DataError: no rows, arrays of different length, inputs that are not numbers, NaN or infinite inputs, labels or
            groups that are not whole numbers.
    """
    if isinstance(data, tuple) and len(data) in (2, 3):
        columns = frame_columns(data[0]) if isinstance(data[0], pd.DataFrame) else None
        x = numbers(data[0], "x")
        y = (task or CLASSES).check(numbers(data[1], "y"))
        group = whole_numbers(data[2], "group") if len(data) == 3 else None
        _check_lengths(x, y, group)
        keeps_type = isinstance(data[0], Tensor) and x.is_floating_point()
        data = TensorData(x if keeps_type else x.float(), y, group, columns, task=task or CLASSES)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise DataError(f"data is a {type(data).__name__}; expected (x, y) arrays or a map-style data set of (x, y)")
    if len(data) == 0:
        raise DataError("the data set has no rows; expected at least one")
    _check_beside(data)
    if isinstance(data, TensorData):
        _check(data)
    data = data if isinstance(_chosen(data), Task) else labelled(data)
    return data if task is None or task_of(data) is task else _of_task(data, task)


def _of_task(dataset: Dataset, task: Task) -> Dataset:
    """The data set with the task of other rows."""
    found = task_of(dataset)
    if found.name != task.name:
        raise DataError(f"rows have the task {found.name!r}; expected that of the training rows, {task.name!r}")
    if isinstance(dataset, TensorData | Labelled):
        return replace(dataset, task=task)
    return Labelled(dataset, all_labels(dataset), task)


def rows_of(dataset: Dataset, index: Int[Tensor, " batch"]) -> TensorData:
    """The rows at these positions, in memory.

    Raises:
        DataError: a row that is not (x, y) or (x, y, group), whose inputs are NaN, infinite or of another shape, or
            whose label or group is not a whole number.
    """
    if isinstance(dataset, TensorData):
        group = None if dataset.group is None else dataset.group[index]
        tokens = None if dataset.tokens is None else dataset.tokens.of(index)
        x, y = dataset.x[index], dataset.y[index]
        return TensorData(x, y, group, dataset.columns, tokens=tokens, task=dataset.task, **beside(dataset, index))
    rows = [dataset[row] for row in index.tolist()]
    if not all(isinstance(row, tuple | list) and len(row) in (2, 3) for row in rows):
        raise DataError(f"a row of the data set is a {type(rows[0]).__name__}; expected (x, y) or (x, y, group)")
    x = stacked([row[0] for row in rows])
    task = task_of(dataset)
    y = _labels([row[1] for row in rows], task, index)
    group = whole_numbers_of([row[2] for row in rows], "group", index) if len(rows[0]) == 3 else None
    tokens = tokens_of(dataset)
    kept = None if tokens is None else tokens.of(index)
    x = x if x.is_floating_point() else x.float()
    found = TensorData(x, y, group, columns_of(dataset), tokens=kept, task=task, **beside(dataset, index))
    _check(found, index)
    return found


def beside(dataset: Dataset, index: Int[Tensor, " batch"]) -> dict[str, Any]:
    """The ``weight`` and ``extra`` of these rows, as `TensorData` takes them."""
    weight = weights_of(dataset)
    extra = {name: values[index.to(values.device)] for name, values in extra_of(dataset).items()}
    return {"weight": None if weight is None else weight[index.to(weight.device)], "extra": extra}


def all_rows(dataset: Dataset) -> TensorData:
    """The whole data set, in memory."""
    return dataset if isinstance(dataset, TensorData) else rows_of(dataset, torch.arange(len(dataset)))


def all_labels(dataset: Dataset) -> Shaped[Tensor, " row *label"]:
    """Every row's label; taken from the attribute ``y`` if the data set has one."""
    labels = getattr(dataset, "y", None)
    if labels is not None:
        return task_of(dataset).check(labels).cpu()
    # One row at a time: the inputs need not fit in memory.
    return torch.cat([rows_of(dataset, index).y for index in torch.arange(len(dataset)).split(1)])


def strata_of(dataset: Dataset) -> Int[Tensor, " row"]:
    """Every row's class; for labels that are not classes, the part of the labels in which it lies (`Task.strata`)."""
    return task_of(dataset).strata(all_labels(dataset))


def task_of(dataset: Dataset) -> Task:
    """What the labels of the data set mean: its attribute ``task``; classes if it has none.

    Raises:
        RecipeError: an unknown task or setting.
        DataError: labels that do not fit the task.
    """
    chosen = _chosen(dataset)
    return chosen if isinstance(chosen, Task) else task_named(chosen, labels_as_given(dataset))


def _chosen(dataset: Dataset) -> TaskChoice:
    chosen: TaskChoice = getattr(dataset, "task", CLASSES)
    return chosen


def labels_as_given(dataset: Dataset) -> Tensor:
    """Every row's label as the data set holds it, unchecked."""
    labels = getattr(dataset, "y", None)
    given = [dataset[row][1] for row in range(len(dataset))] if labels is None else labels
    return _as_tensor(given)


def _labels(given: list[Any], task: Task, index: Tensor) -> Tensor:
    """The labels of some rows, checked."""
    if task.name in ("classes", "ordered_classes"):
        return whole_numbers_of(given, "label", index)
    return task.check(_as_tensor(given))


def _as_tensor(given: Any) -> Tensor:
    if isinstance(given, Tensor):
        return given
    if isinstance(given, list) and given and isinstance(given[0], Tensor):
        return torch.stack(given)
    return numbers(given, "y")


@dataclass(frozen=True)
class Labelled:
    """A map-style data set with its labels in memory, and what they mean."""

    rows: Dataset
    y: Shaped[Tensor, " row *label"]
    task: Task

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        return self.rows[row]

    @property
    def columns(self) -> Columns | None:
        """Those of the data set itself."""
        return columns_of(self.rows)

    @property
    def tokens(self) -> Tokens | None:
        """Those of the data set itself."""
        return tokens_of(self.rows)

    @property
    def weight(self) -> Tensor | None:
        """That of the data set itself."""
        return weights_of(self.rows)

    @property
    def extra(self) -> Mapping[str, Tensor]:
        """Those of the data set itself."""
        return extra_of(self.rows)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the data set itself."""
        return class_names_of(self.rows)

    @property
    def group_names(self) -> tuple[str, ...]:
        """Those of the data set itself."""
        return tuple(getattr(self.rows, "group_names", ()))


def labelled(dataset: Dataset) -> Dataset:
    """The data set with its labels in memory."""
    if hasattr(dataset, "y") and isinstance(_chosen(dataset), Task):
        return dataset
    task = task_of(dataset)
    labels = all_labels(dataset) if isinstance(_chosen(dataset), Task) else task.check(labels_as_given(dataset)).cpu()
    return Labelled(dataset, labels, task)


def columns_of(dataset: Dataset) -> Columns | None:
    """The data set's attribute ``columns``, which columns make up which feature; None if it has none."""
    return getattr(dataset, "columns", None)


def tokens_of(dataset: Dataset) -> Tokens | None:
    """The data set's attribute ``tokens``, the words of its texts; None if it has none."""
    return getattr(dataset, "tokens", None)


def weights_of(dataset: Dataset) -> Tensor | None:
    """The data set's attribute ``weight``, the weight of each row; None if it has none."""
    return getattr(dataset, "weight", None)


def extra_of(dataset: Dataset) -> Mapping[str, Tensor]:
    """The data set's attribute ``extra``, further tensors with one entry per row; empty if it has none."""
    return getattr(dataset, "extra", {})


def class_names_of(dataset: Dataset) -> tuple[str, ...]:
    """The data set's attribute ``class_names``, the name of each class; empty if it has none."""
    return tuple(getattr(dataset, "class_names", ()))


def class_named(label: int, class_names: Sequence[str]) -> str:
    """The name of the class; its number if it has no name."""
    return class_names[label] if label < len(class_names) else str(label)


def shape_of(dataset: Dataset) -> tuple[int, ...]:
    """The shape of one row's inputs, taken from the first row."""
    return tuple(rows_of(dataset, torch.tensor([0])).x.shape[1:])


def _check_lengths(*parts: Tensor | None) -> None:
    lengths = [len(part) for part in parts if part is not None]
    if len(set(lengths)) > 1:
        raise DataError(f"x, y and group have {', '.join(map(str, lengths))} rows; expected the same number")


def _check_beside(data: Dataset) -> None:
    """Raises DataError for a ``weight`` or ``extra`` tensor that does not have one valid entry per row."""
    for name, values in {"weight": weights_of(data), **extra_of(data)}.items():
        if values is not None and (not isinstance(values, Tensor) or values.shape[:1] != (len(data),)):
            found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise DataError(f"{name} is {found}; expected a tensor with one entry for each of the {len(data)} rows")
    weight = weights_of(data)
    if weight is not None and (weight.ndim != 1 or not weight.is_floating_point() or weight.requires_grad):
        shape = tuple(weight.shape)
        raise DataError(f"weight has shape {shape} and holds {weight.dtype}; expected one float per row, no gradient")
    if weight is not None and not (bool((weight >= 0).all()) and 0 < float(weight.sum()) < float("inf")):
        raise DataError("weight holds negative or no finite numbers, or only 0; expected numbers of at least 0")


def _check(data: TensorData, index: Tensor | None = None) -> None:
    _check_lengths(data.x, data.y, data.group)
    assert isinstance(data.task, Task)
    if data.task.name == "classes" and (data.y.ndim != 1 or data.y.is_floating_point()):
        raise DataError(
            f"y has shape {tuple(data.y.shape)} and holds {data.y.dtype}; expected one class number per row; for a "
            "regression say what y means: TensorData(x, y, task='amounts')"
        )
    exposure = data.extra.get("exposure")
    if exposure is not None and not (
        exposure.ndim == 1 and bool((exposure > 0).all()) and bool(exposure.isfinite().all())
    ):
        raise DataError(
            "exposure holds numbers that are 0, negative or infinite, or is not one per row; expected positive"
        )
    if data.tokens is not None and (data.x.ndim != 3 or data.tokens.ids.shape != data.x.shape[:2]):
        found, expected = tuple(data.tokens.ids.shape), tuple(data.x.shape)
        raise DataError(f"the words have shape {found} and x {expected}; expected (row, token) and a vector for each")
    bad = (~torch.isfinite(data.x.flatten(1) if data.x.ndim > 1 else data.x[:, None])).any(dim=1).nonzero().flatten()
    if len(bad):
        first = int(bad[0] if index is None else index[bad[0]])
        raise DataError(f"row {first} of x is NaN or infinite ({len(bad)} such rows); fill or drop them first")


def require_classes(dataset: Dataset) -> None:
    """Check that a method about classes can learn from the data set.

    Raises:
        DataError: its labels are not one class per row, or all of the same class.
    """
    task = task_of(dataset)
    if task.logits is None:
        raise DataError(f"this method needs one class per row; the labels are of the task {task.name!r}")
    require_different(dataset)


def require_different(dataset: Dataset) -> None:
    """Raises DataError if all labels are equal, from which nothing can be learned."""
    labels = all_labels(dataset)
    if bool((labels == labels[:1]).all()):
        what = "classes" if task_of(dataset).logits is not None else "labels"
        raise DataError(f"every label is {labels[0].tolist()}; expected at least two {what}")
