"""What a data set offers: its rows, and attributes that it may have."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from corrigible.data.naming import Names
from corrigible.data.naming import class_named as class_named
from corrigible.data.tokens import Tokens
from corrigible.types import Columns


@runtime_checkable
class Dataset(Protocol):
    """What every data set offers; row i is (x, y) or (x, y, group)."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> tuple[Any, ...]: ...


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
    """The data set's attribute ``class_names``, or ``classes`` as torchvision has it: each class's name; else empty."""
    names = getattr(dataset, "class_names", ()) or getattr(dataset, "classes", ())
    return tuple(names) if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names) else ()


def files_of(dataset: Dataset) -> tuple[str, ...]:
    """The data set's attribute ``files``, each row's file as ``<split>/<class>/<name>``; empty if rows are no files."""
    files = getattr(dataset, "files", ())
    return files if isinstance(files, tuple) and len(files) == len(dataset) else ()


def names_of(dataset: Dataset) -> Names:
    """The files of the rows and the names of the classes."""
    return Names(files_of(dataset), class_names_of(dataset))


def beside(dataset: Dataset, index: Int[Tensor, " batch"]) -> dict[str, Any]:
    """The ``weight`` and ``extra`` of these rows, as `TensorData` takes them."""
    weight = weights_of(dataset)
    extra = {name: values[index.to(values.device)] for name, values in extra_of(dataset).items()}
    return {"weight": None if weight is None else weight[index.to(weight.device)], "extra": extra}
