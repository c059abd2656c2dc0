"""Find counterfactuals of every row of a data set and write them to shards; read shards."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from corrigible.data.dataset import as_dataset, rows_of, task_of
from corrigible.data.protocol import class_names_of
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counterfactuals.constraints import Constraint
from corrigible.explanations.counterfactuals.finding import counterfactuals
from corrigible.explanations.counterfactuals.result import STATUSES, Counterfactuals
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.inputs import as_model, checked_rows
from corrigible.explanations.shards.model_hash import model_hash
from corrigible.explanations.shards.plan import ShardPlan, described, digest_of_data
from corrigible.explanations.shards.writing import (
    Shards,
    ShardsPlanned,
    ShardWritten,
    begin,
    checked_size,
    finished_paths,
    planned,
    shards_in,
    write_missing,
)
from corrigible.files import MOST_ROWS, read_bytes

METHOD = "counterfactuals"
MOST_AT_ONCE = 512
"""Rows of a shard unless another number is asked for: a search keeps some dozens of near rows for each."""


@dataclass(frozen=True)
class CounterfactualRows:
    """Rows with up to k changes each, on the CPU, as `corrigible.explanations.counterfactuals.result` explains them."""

    index: Int[Tensor, " row"]
    """Position of each row in its data set."""
    changed: Float[Tensor, " row k column"]
    cost: Float[Tensor, " row k"]
    status: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.index)


def counterfactuals_all(
    model: Callable[[Tensor], Any],
    data: Any,
    folder: str | Path,
    *,
    schema: Any,
    rows: Any,
    constraints: Sequence[Constraint] = (),
    name: str = "rows",
    rows_per_shard: int | None = None,
    seed: int = 0,
    **settings: Any,
) -> Iterator[ShardsPlanned | ShardWritten]:
    """Find counterfactuals of every row and write them to shards; yields the plan, then each finished shard.

    As `explain_all`: after an interruption the same call goes on with the missing shards, the processes of a group
    (torchrun) each write a part, and only the rows of one shard are in memory. With another model, data, constraints or
    settings a resumed call is refused.

    Args:
        data: a table, as `explain_all` takes it.
        schema: what the columns are, from `schema_of`.
        rows: training rows near which changes are searched, as `counterfactuals` takes them.
        rows_per_shard: None for at most 512.
        settings: further ones of `counterfactuals`, such as ``k`` or ``target``, the same for all rows.

    Raises:
        RecipeError: no `Schema`, or settings that do not fit.
        StudyError: the folder cannot be written to, or its shards were begun differently.
        DataError, UnsupportedModelError: as `counterfactuals`.
    """
    if not isinstance(schema, Schema):
        raise RecipeError(f"schema is a {type(schema).__name__}; expected schema_of(columns, rows)")
    dataset, network, folder = as_dataset(data), as_model(model), Path(folder)
    rows = (
        None if rows is None else checked_rows(rows, schema.columns)
    )  # As a tensor, which the plan tells by its hash.
    about = {"schema": described(schema.features), "rows": described(rows), "constraints": [*map(str, constraints)]}
    plan = ShardPlan(
        method=METHOD,
        settings=about | {key: described(value) for key, value in settings.items()},
        seed=seed,
        target="wanted",
        num_rows=len(dataset),
        data=digest_of_data(dataset),
        weights=model_hash(network),
        rows_per_shard=min(checked_size(rows_per_shard, dataset), rows_per_shard or MOST_AT_ONCE),
        file_format="safetensors",
    )
    shards = Shards(folder, name, plan)
    missing = begin(shards)
    yield planned(shards, missing)
    how: dict[str, Any] = {"schema": schema, "constraints": constraints, "rows": rows, "seed": seed}
    how |= {"task": task_of(dataset), "class_names": class_names_of(dataset), **settings}
    yield from write_missing(
        shards, missing, lambda index: _written(index, counterfactuals(network, rows_of(dataset, index).x, **how))
    )


def read_counterfactuals(folder: str | Path, *, name: str = "rows") -> Iterator[CounterfactualRows]:
    """The rows and their changes in the order of the data set, one shard at a time.

    Raises:
        StudyError: there is no plan of this name, it is of something else, or shards are missing.
        DataError: a shard that cannot be read.
    """
    shards = shards_in(folder, name, reader="read_counterfactuals")
    yield from map(_read, finished_paths(shards))


def _written(index: Int[Tensor, " row"], found: Counterfactuals) -> bytes:
    status = torch.tensor([[STATUSES.index(one) for one in row] for row in found.status], dtype=torch.uint8)
    tensors = {"index": index, "changed": found.changed, "cost": found.cost, "status": status}
    written: bytes = save({key: value.contiguous() for key, value in tensors.items()})
    return written


def _read(path: Path) -> CounterfactualRows:
    try:
        found = load(read_bytes(path, most=MOST_ROWS, within=path.parent))
        words = np.array(STATUSES)[found["status"].numpy()]
        return CounterfactualRows(found["index"], found["changed"], found["cost"], tuple(map(tuple, words.tolist())))
    except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
        raise DataError(f"cannot read {path} ({error}); delete it and find the counterfactuals again") from error
