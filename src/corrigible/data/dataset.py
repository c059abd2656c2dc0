"""Rows to learn from: tensors in memory, or any map-style data set of (x, y) or (x, y, group)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from corrigible.data.arrays import columns_in, given_rows, inputs, numbers, stacked, whole_numbers, whole_numbers_of
from corrigible.data.checks import check_beside, check_labels, check_lengths, check_names, check_order, check_rows
from corrigible.data.given import given_data
from corrigible.data.protocol import Dataset, beside, class_names_of, columns_of, extra_of, tokens_of, weights_of
from corrigible.data.tokens import Tokens
from corrigible.errors import DataError
from corrigible.printable import plural
from corrigible.tasks import CLASSES, TaskChoice, task_named
from corrigible.types import Columns, Task


@dataclass(frozen=True, repr=False)
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
        given: dict[str, Any] = {"x": self.x, "y": self.y}
        if self.columns is None:
            object.__setattr__(self, "columns", columns_in(given["x"]))
        check_order(given["x"], given["y"])
        for name, values in given.items():
            if not isinstance(values, Tensor):
                found = inputs(values) if name == "x" else numbers(values, name)
                object.__setattr__(self, name, found.float() if name == "x" else found)
        if not isinstance(self.task, Task):
            check_labels(self.y, self.extra)
            task = task_named(self.task, self.y, self.extra)
            object.__setattr__(self, "task", task)
            object.__setattr__(self, "y", task.check(self.y))

    def __repr__(self) -> str:
        return f"TensorData({plural(len(self), 'row')} of shape {tuple(self.x.shape[1:])}, task={self.task!r})"

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        if self.group is None:
            return self.x[row], self.y[row]
        return self.x[row], self.y[row], self.group[row]


def as_dataset(data: Any, *, task: Task | None = None) -> Dataset:
    """A data set from ``(x, y)`` or ``(x, y, group)`` arrays, tensors or frames, or a DataLoader's data set.

    Arrays and frames are copied and become float32, tensors of floats keep their type. A map-style data set that names
    a task comes back with its labels in memory.

    Args:
        task: that of other rows, such as the training rows, which these rows share; None for the data's own.

    Raises:
        DataError: no rows, arrays of different length, inputs that are not numbers, NaN or infinite inputs, labels or
            groups that are not whole numbers.
    """
    data = given_data(data)
    if isinstance(data, tuple):
        data = from_arrays(data, CLASSES if task is None else task)
    if len(data) == 0:
        raise DataError("the data set has no rows; expected at least one")
    check_beside(data)
    if isinstance(data, TensorData):
        check_rows(data)
        check_names(data)
        data = _with_checked_labels(data)
    data = data if isinstance(_chosen(data), Task) else labelled(data)
    return data if task is None or task_of(data) is task else _of_task(data, task)


def from_arrays(arrays: tuple[Any, ...], task: TaskChoice) -> TensorData:
    """The data set of ``(x, y)`` or ``(x, y, group)`` arrays, tensors or frames, as `as_dataset` takes them.

    Raises:
        DataError: as `as_dataset`.
    """
    check_order(arrays[0], arrays[1])
    columns, x, y = columns_in(arrays[0]), inputs(arrays[0]), numbers(arrays[1], "y")
    y = task.check(y) if isinstance(task, Task) else y
    group = whole_numbers(arrays[2], "group") if len(arrays) == 3 else None
    check_lengths(x, y, group)
    keeps_type = isinstance(arrays[0], Tensor) and x.is_floating_point()
    return TensorData(x if keeps_type else x.float(), y, group, columns, task=task)


def _with_checked_labels(data: TensorData) -> TensorData:
    """The data set with its labels as the task needs them."""
    y = task_of(data).check(data.y)
    return data if y.shape == data.y.shape and y.dtype == data.y.dtype else replace(data, y=y)


def _of_task(dataset: Dataset, task: Task) -> Dataset:
    """The data set with the task of other rows."""
    found = task_of(dataset)
    if found.name != task.name:
        raise DataError(f"rows have the task {found.name!r}; expected that of the training rows, {task.name!r}")
    if task.logits is None and found.num_outputs != task.num_outputs:
        raise DataError(
            f"rows have {found.num_outputs} labels or levels each; the training rows have {task.num_outputs}"
        )
    y = task.check(all_labels(dataset))
    return (
        replace(dataset, y=y, task=task) if isinstance(dataset, TensorData | Labelled) else Labelled(dataset, y, task)
    )


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
    rows = given_rows(dataset, index.tolist())
    if not all(isinstance(row, tuple | list) and len(row) in (2, 3) for row in rows):
        raise DataError(f"a row of the data set is a {type(rows[0]).__name__}; expected (x, y) or (x, y, group)")
    x, task = stacked([row[0] for row in rows]), task_of(dataset)
    y = _labels([row[1] for row in rows], task, index)
    group = whole_numbers_of([row[2] for row in rows], "group", index) if len(rows[0]) == 3 else None
    kept = None if (tokens := tokens_of(dataset)) is None else tokens.of(index)
    x = x if x.is_floating_point() else x.float()
    found = TensorData(x, y, group, columns_of(dataset), tokens=kept, task=task, **beside(dataset, index))
    check_rows(found, index)
    return found


def all_rows(dataset: Dataset) -> TensorData:
    """The whole data set, in memory."""
    return dataset if isinstance(dataset, TensorData) else rows_of(dataset, torch.arange(len(dataset)))


def all_labels(dataset: Dataset) -> Shaped[Tensor, " row *label"]:
    """Every row's label; taken from the attribute ``y`` if the data set has one."""
    if isinstance(dataset, TensorData | Labelled):
        return dataset.y.cpu()
    if (labels := getattr(dataset, "y", None)) is not None:
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
    return chosen if isinstance(chosen, Task) else task_named(chosen, labels_as_given(dataset), extra_of(dataset))


def _chosen(dataset: Dataset) -> TaskChoice:
    return getattr(dataset, "task", CLASSES)


def labels_as_given(dataset: Dataset) -> Tensor:
    """Every row's label as the data set holds it, unchecked."""
    labels = getattr(dataset, "y", None)
    return _as_tensor([dataset[row][1] for row in range(len(dataset))] if labels is None else labels)


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
    moved: Mapping[str, Tensor] = field(default_factory=dict)
    """What stands beside these labels instead of the data set's own ``extra``."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[int]) -> list[tuple[Any, ...]]:
        found = given_rows(self.rows, rows)
        return [(inputs, self.y[row], *others) for row, (inputs, _, *others) in zip(rows, found, strict=True)]

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
        """Those of the data set itself, except where others belong to the labels."""
        return {**extra_of(self.rows), **self.moved}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the data set itself."""
        return class_names_of(self.rows)

    @property
    def files(self) -> tuple[str, ...]:
        """Those of the data set itself."""
        return tuple(getattr(self.rows, "files", ()))

    @property
    def group_names(self) -> tuple[str, ...]:
        """Those of the data set itself."""
        return tuple(getattr(self.rows, "group_names", ()))


def labelled(dataset: Dataset) -> Dataset:
    """The data set with its labels in memory."""
    if isinstance(_chosen(dataset), Task):
        return dataset if hasattr(dataset, "y") else Labelled(dataset, all_labels(dataset), task_of(dataset))
    y = labels_as_given(dataset)
    task = task_named(_chosen(dataset), y, extra_of(dataset))
    return Labelled(dataset, task.check(y).cpu(), task)


def shape_of(dataset: Dataset) -> tuple[int, ...]:
    """The shape of one row's inputs, taken from the first row."""
    return tuple(rows_of(dataset, torch.tensor([0])).x.shape[1:])


def require_classes(dataset: Dataset) -> None:
    """Check that a method about classes can learn from the data set.

    Raises:
        DataError: its labels are not one class per row, or all of the same class.
    """
    if (task := task_of(dataset)).name != "classes":
        raise DataError(f"this method needs one class per row; the labels are of the task {task.name!r}")
    require_different(dataset)


def require_different(dataset: Dataset) -> None:
    """Raises DataError if all labels are equal, from which nothing can be learned."""
    labels = all_labels(dataset)
    if bool((labels == labels[:1]).all()):
        what = "labels" if task_of(dataset).logits is None else "classes"
        raise DataError(f"every label is {labels[0].tolist()}; expected at least two {what}")
