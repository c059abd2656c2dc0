"""Explain every row of a data set and write the explanations to shards; read shards."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.dataset import as_dataset, rows_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.errors import RecipeError, unknown
from corrigible.explanations.explaining import EXPLAINERS, SHARED_SETTINGS, explain
from corrigible.explanations.inputs import as_model
from corrigible.explanations.question import predicted_target
from corrigible.explanations.shards.files import FORMATS, Explained, read_shard
from corrigible.explanations.shards.model_hash import model_hash
from corrigible.explanations.shards.plan import ShardPlan, described, digest_of_data
from corrigible.explanations.shards.writing import (
    Shards,
    ShardsPlanned,
    ShardWritten,
    begin,
    checked_size,
    finished_paths,
    plan_path,
    planned,
    shards_in,
    write_missing,
)
from corrigible.methods import method_named, settings_of
from corrigible.types import Task


def explain_all(
    model: Callable[[Tensor], Any],
    data: Any,
    folder: str | Path,
    *,
    name: str = "rows",
    method: str = "integrated_gradients",
    target: str | int = "predicted",
    format: str = "safetensors",
    rows_per_shard: int | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
    **settings: Any,
) -> Iterator[ShardsPlanned | ShardWritten]:
    """Explain every row of a data set and write the explanations to shards; yields the plan, then each finished shard.

    After an interruption, run it again with the same arguments: it continues with the missing shards. The processes of
    a group (torchrun) each write a part of the shards. Neither interruptions nor the number of processes change a byte
    of the result; ``rows_at_once`` changes only rounding. Only the rows and the attribution of one shard are in memory.

    A resumed call with another model is refused if the difference is detectable. A network is identified by its
    ``repr``, parameters and buffers, not by the code of its ``forward``; a function by its name, its code and all it
    holds that can be hashed. Parts identified by name only (compiled code) are listed under ``weights`` in the plan.

    Args:
        model: a network, or any function of the rows, as for `explain`.
        data: ``(x, y)``, ``(x, y, group)`` or a map-style data set, which may read rows on demand.
        folder: created if missing; ``NAME-plan.json`` describes its shards ``NAME-00000.safetensors``, ….
        name: name of the data set, needed if the folder holds several.
        target: ``predicted`` for what `explain` explains by default of the data's task, ``label``, or a class for all
            rows.
        format: ``safetensors``, or ``parquet`` for a table with named columns: one column per column of x, besides
            ``index`` and ``target``.
        rows_per_shard: None for as many as make 16 MiB, at most 4096.
        rows_at_once: how many rows, or points made from rows, the model runs on at once; as for `explain`.
        settings: settings of `explain` and the method, the same for all rows.

    Raises:
        StudyError: the folder cannot be written to, or its shards were started with another model, data or settings.
        RecipeError, DataError, UnsupportedModelError: as `explain`.
    """
    dataset, network, folder = as_dataset(data), as_model(model), Path(folder)
    if format not in FORMATS:
        raise RecipeError(unknown("format", format, FORMATS))
    FORMATS[format].check(columns_of(dataset))
    plan = ShardPlan(
        method=method,
        settings=_all_settings(method, settings, task_of(dataset)),
        seed=seed,
        target=_checked_target(target, task_of(dataset)),
        num_rows=len(dataset),
        data=digest_of_data(dataset),
        weights=model_hash(network),
        rows_per_shard=checked_size(rows_per_shard, dataset),
        file_format=format,
    )
    shards = Shards(folder, name, plan)
    missing = begin(shards)
    yield planned(shards, missing)
    explaining = _Explaining(network, dataset, plan, rows_at_once, settings)
    encode, columns = FORMATS[format].encode, columns_of(dataset)
    yield from write_missing(shards, missing, lambda index: encode(explaining.rows(index), columns))


def read_shards(folder: str | Path, *, name: str = "rows") -> Iterator[Explained]:
    """The explained rows in the order of the data set, one shard at a time.

    Raises:
        StudyError: there is no plan of this name, it is of something else, or shards are missing.
        DataError: a shard that cannot be read.
    """
    shards = shards_in(folder, name, reader="read_shards")
    for path in finished_paths(shards):
        yield read_shard(path, FORMATS[shards.plan.file_format])


def load_shards(folder: str | Path, *, name: str = "rows") -> Explained:
    """All explained rows in the order of the data set, in memory.

    Raises:
        StudyError, DataError: as `read_shards`.
    """
    parts = list(read_shards(folder, name=name))
    index, attribution, target = zip(*((part.index, part.attribution, part.target) for part in parts), strict=True)
    return Explained(torch.cat(index), torch.cat(attribution), torch.cat(target))


def shard_paths(folder: str | Path, *, name: str = "rows") -> list[Path]:
    """The paths of the plan and of all shards of a data set, whether they exist or not.

    Raises:
        StudyError: there is no plan of this name.
    """
    shards = shards_in(folder, name)
    return [plan_path(shards.folder, name), *map(shards.path, range(shards.plan.num_shards))]


@dataclass(frozen=True)
class _Explaining:
    """How the rows of a shard are explained."""

    model: nn.Module
    dataset: Dataset
    plan: ShardPlan
    rows_at_once: int | None
    settings: dict[str, Any]

    def rows(self, index: Int[Tensor, " row"]) -> Explained:
        rows, plan = rows_of(self.dataset, index), self.plan
        task, score = task_of(self.dataset), self.settings.get("score")
        if plan.target == "predicted":
            target = predicted_target(
                self.model, rows.x, task=task, score=score, rows_at_once=self.rows_at_once, seed=plan.seed
            )
        else:
            target = rows.y if plan.target == "label" else torch.full_like(index, int(plan.target))
        attribution = explain(
            self.model,
            rows.x,
            target,
            method=plan.method,
            task=task,
            columns=rows.columns,
            seed=plan.seed,
            rows_at_once=self.rows_at_once,
            **self.settings,
        )
        return Explained(index, attribution.cpu(), target.cpu().long())


def _all_settings(method: str, settings: dict[str, Any], task: Task) -> dict[str, Any]:
    """The settings for the plan, with the defaults of those that were not given; for other tasks than classes, its name
    and score."""
    takes = settings_of(method_named(method, EXPLAINERS, "explainer"))
    own = {key: default for key, default in takes.items() if key not in SHARED_SETTINGS}
    for key in settings:
        if key in SHARED_SETTINGS:
            raise RecipeError(f"explainer {method!r}: {unknown('setting', key, own)}")
    given = {key: default for key, default in own.items() if default is not inspect.Parameter.empty} | settings
    if task.name != "classes":
        given |= {"task": task.name} | ({"score": settings.get("score", task.score)} if "score" in takes else {})
    return {key: described(value) for key, value in given.items()}


def _checked_target(target: str | int, task: Task) -> str | int:
    if target == "label" and task.name != "classes":
        raise RecipeError(f"target is 'label'; the labels of the task {task.name!r} are no targets: leave it out")
    is_class = isinstance(target, int) and not isinstance(target, bool)
    if not is_class and target not in ("predicted", "label"):
        raise RecipeError(f"target is {target!r}; expected 'predicted', 'label' or the number of a class")
    return target
