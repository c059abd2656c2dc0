"""The attribute that an attacker infers: what each row holds of it, and what he knows of the row already."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.surgery.proxies import as_known

FEW = 10
"""Numbers of at most as many different values are classes."""
LEAST_ROWS = 20
LEAST_OF_CLASS = 5


class Attribute(NamedTuple):
    """What is to be inferred."""

    name: str
    held: Shaped[Tensor, " row"]
    """Class numbers, or amounts as float64."""
    classes: tuple[str, ...]
    """Empty for amounts."""
    known: Tensor
    """(row, column): the columns that the attacker knows, without those of the attribute."""


def attribute_of(rows: TensorData, attribute: Any, given: Iterable[str] | None) -> Attribute:
    """The attribute, and the columns of the features that the attacker knows.

    Args:
        attribute: the name of a feature, or one value per row.
        given: names of the features that the attacker knows; None for all others.

    Raises:
        DataError: rows without columns, or that are too few; another number of values; an attribute of one value, or
            values that a column of the rows holds too.
        RecipeError: a feature that there is not, or the attribute itself among those given.
    """
    name = attribute if isinstance(attribute, str) else str(getattr(attribute, "name", None) or "the attribute")
    held, classes = _of_feature(rows, attribute) if isinstance(attribute, str) else _of_values(attribute, len(rows))
    if len(rows) < LEAST_ROWS:
        raise DataError(f"{len(rows)} rows are too few to attack; expected at least {LEAST_ROWS}")
    counts = held.unique(return_counts=True)[1]
    if len(counts) < 2 or (classes and int((counts >= LEAST_OF_CLASS).sum()) < 2):
        need = f"expected at least two that {LEAST_OF_CLASS} rows have"
        raise DataError(f"{name} holds {len(counts)} different values, of which few rows have most; {need}")
    if classes and not isinstance(attribute, str) and given is None and (same := feature_held_by(rows, held)):
        raise DataError(f"the column {same!r} tells the values of every row; name it, so that the attacker lacks it")
    return Attribute(name, held, classes, _known(rows, name if isinstance(attribute, str) else None, given))


def feature_held_by(rows: TensorData, held: Shaped[Tensor, " row"]) -> str | None:
    """The feature of few values, each of which goes with one value of these alone; None if there is none."""
    if rows.columns is None:
        return None
    flat, values = rows.x.detach().cpu().double().flatten(1), held.cpu().double()[:, None]
    for name in rows.columns.features:
        columns = flat[:, _places(rows, [name])]
        both = torch.cat([columns, values], dim=1)
        if len(columns.unique(dim=0)) == len(both.unique(dim=0)) <= FEW:
            return name
    return None


def _of_feature(rows: TensorData, name: str) -> tuple[Tensor, tuple[str, ...]]:
    if rows.columns is None:
        raise DataError(f"{name!r} is a name, and the data has no columns; give its values, one per row")
    places = _places(rows, [name])
    held = rows.x[:, places].double().cpu()
    is_category = all(rows.columns.one_hot[place] for place in places)
    found = as_known(held, held, is_category=is_category)[0]
    if found.is_floating_point():
        return _classes_or_amounts(found)
    if not is_category:
        return found, tuple(str(value) for value in range(2))
    return found, tuple(rows.columns.names[place].removeprefix(f"{name}=") for place in places)


def _of_values(values: Any, num_rows: int) -> tuple[Tensor, tuple[str, ...]]:
    if not isinstance(values, pd.Series) and np.ndim(values) != 1:
        raise DataError(f"the attribute has shape {np.shape(values)}; expected one value per row, ({num_rows},)")
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    if len(series) != num_rows:
        raise DataError(f"the attribute has {len(series):,} values, the data {num_rows:,} rows; expected one per row")
    if series.isna().any():
        row = int(series.isna().to_numpy().argmax())
        raise DataError(f"the attribute of row {row} is empty; leave such rows out")
    if pd.api.types.is_float_dtype(series.dtype):
        if np.isinf(series.to_numpy(np.float64)).any():
            row = int(np.isinf(series.to_numpy(np.float64)).argmax())
            raise DataError(f"the attribute of row {row} is infinite; leave such rows out")
        return _classes_or_amounts(torch.from_numpy(series.to_numpy(np.float64, copy=True)))
    numbers, levels = pd.factorize(series, sort=True)
    if pd.api.types.is_integer_dtype(series.dtype) and len(levels) > FEW:
        return torch.from_numpy(series.to_numpy(np.float64, copy=True)), ()
    return torch.from_numpy(numbers.astype(np.int64)), tuple(map(str, levels))


def _classes_or_amounts(held: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    values, places = held.unique(return_inverse=True)
    return (places, tuple(f"{value:g}" for value in values.tolist())) if len(values) <= FEW else (held, ())


def _known(rows: TensorData, attribute: str | None, given: Iterable[str] | None) -> Tensor:
    flat = rows.x.detach().cpu().double().flatten(1)
    if rows.columns is None:
        if given is not None and list(given):
            raise DataError("given names features, and the data has no columns; expected TensorData(x, y, columns=…)")
        return flat if given is None else flat[:, :0]
    if isinstance(given, str):
        raise RecipeError(f"given is {given!r}; expected a list of names")
    chosen = [name for name in rows.columns.features if name != attribute] if given is None else list(given)
    if attribute in chosen:
        raise RecipeError(f"given names {attribute!r}, which is to be inferred; leave it out")
    return flat[:, _places(rows, chosen)]


def _places(rows: TensorData, names: Sequence[str]) -> list[int]:
    assert rows.columns is not None
    for name in names:
        if name not in rows.columns.features:
            raise RecipeError(unknown("column", str(name), rows.columns.features))
    return [place for place, feature in enumerate(rows.columns.feature) if feature in names]


def folds_of(held: Shaped[Tensor, " row"], num_folds: int, seed: int) -> Int[Tensor, " row"]:
    """The fold of each row, drawn at random, with the values of the attribute spread evenly over them."""
    order = torch.randperm(len(held), generator=torch.Generator().manual_seed(seed))
    order = order[held[order].argsort(stable=True)]
    found = torch.empty(len(held), dtype=torch.long)
    found[order] = torch.arange(len(held)) % num_folds
    return found
