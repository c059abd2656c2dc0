"""Influence on every row of a data set of queries, written to shards; read shards.

Training rows are gone through in parts, so that neither they nor a matrix over all of them is held.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import task_of
from corrigible.data.protocol import Dataset, extra_of, weights_of
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.examples.row_gradients import MOST_NUMBERS
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
from corrigible.feedback.checks import as_list
from corrigible.files import MOST_ROWS, read_bytes
from corrigible.models.bayes.last_layer import last_linear
from corrigible.models.networks import network_of
from corrigible.objective import PenaltySettings
from corrigible.protocols.influence.answering import Answer, Ways, prepared, ways
from corrigible.protocols.influence.asked import Asked, asked_of, is_function
from corrigible.protocols.influence.influenced import Influence
from corrigible.protocols.schedule import Schedule

PREFIX = "influence by "
MOST_AT_ONCE, MOST_REPLAYED = 4096, 64
"""Queries of a shard unless another number is asked for; each step of a replay is taken for all of them at once."""
TENSORS = ("values", "rows", "queries")


def influence_all(
    model: nn.Module,
    data: Any,
    query: Any,
    folder: str | Path,
    *,
    name: str = "rows",
    keep: int | str = 100,
    rows_per_shard: int | None = None,
    method: str = "exact",
    curvature: str = "hessian",
    damping: float | None = None,
    penalties: PenaltySettings | None = None,
    feedback: Any = None,
    schedule: Schedule | None = None,
    start: nn.Module | None = None,
    nearest: int | None = None,
    seed: Any = 0,
) -> Iterator[ShardsPlanned | ShardWritten]:
    """Write the influence on every query to shards; yields the plan, then each finished shard.

    As `explain_all`: after an interruption the same call goes on with the missing shards, the processes of a group
    (torchrun) each write a part, and with another model, data or settings a resumed call is refused. The curvature and
    its inverse, or the replayed run, are computed once, not for each shard. Memory does not grow with the number of
    training rows, except with ``keep="all"`` and "replay", where a shard holds fewer queries the more there are.

    Args:
        query: rows with labels, as ``data``; what is asked about is divided into shards.
        folder: created if missing; ``NAME-plan.json`` describes its shards ``NAME-00000.safetensors``, ….
        name: name of the queries, needed if the folder holds several.
        keep: of each query so many of the most helpful and as many of the most harmful training rows; "all" for each.
        rows_per_shard: queries of a shard; None for as many as make 16 million numbers, at most 4096. The gradients of
            all training rows are computed once for each shard, so that many small shards cost more.
        model, data, method, curvature, damping, penalties, feedback, schedule, start, nearest, seed: as `influence`
            takes them. A network is identified by its ``repr`` and weights, functions by their names.

    Raises:
        RecipeError: a query that is a function, or settings that do not fit.
        StudyError: the folder cannot be written to, or its shards were begun differently.
        DataError, FeedbackError, TrainingDivergedError, UnsupportedModelError: as `influence`.
    """
    if is_function(query):
        raise RecipeError("the query is a function; influence_all is about rows with labels: use influence")
    most = None if keep == "all" else whole_number("keep", keep, 1)
    way = ways(method=method, curvature=curvature, damping=damping, nearest=nearest, start=start, schedule=schedule)
    feedback = None if feedback is None else as_list(feedback)
    how: dict[str, Any] = {"penalties": penalties, "feedback": feedback, "schedule": schedule, "seed": seed}
    asked = asked_of(model, data, query, **how)
    plan = _plan(asked, way, rows_per_shard, settings={**how, "keep": keep})
    shards = Shards(Path(folder), name, plan)
    missing = begin(shards)
    yield planned(shards, missing)
    yield from write_missing(shards, missing, _Answering(asked, way, most).content)


def read_influence(folder: str | Path, *, name: str = "rows") -> Iterator[Influence]:
    """The influence on the queries in their order, those of one shard at a time.

    ``queries`` of each part are the positions of its queries. Where rows were kept, ``rows`` says which.

    Raises:
        StudyError: there is no plan of this name, it is of something else, or shards are missing.
        DataError: a shard that cannot be read.
    """
    shards = shards_in(folder, name, reader="read_influence")
    yield from map(_read, finished_paths(shards))


@dataclass(frozen=True)
class _Answering:
    """How the queries of a shard are answered."""

    asked: Asked
    way: Ways
    most: int | None

    @cached_property
    def answer(self) -> Answer:
        return prepared(self.asked, self.way)

    def content(self, index: Int[Tensor, " query"]) -> bytes:
        return _written(self.answer(self.asked.about(index), self.most))


def _plan(asked: Asked, way: Ways, rows_per_shard: int | None, *, settings: dict[str, Any]) -> ShardPlan:
    """All that the answers depend on."""
    learned, rows = asked.learned, asked.rows
    assert rows is not None
    known: dict[str, Any] = {key: getattr(way, key) for key in ("curvature", "damping", "nearest")}
    known |= {key: described(value) for key, value in settings.items() if key != "seed"}
    known["start"] = None if way.start is None else model_hash(network_of(way.start))
    known |= {"training_rows": _digest(learned.dataset), "task": task_of(learned.dataset).name}
    holds_all = way.method == "replay" or (settings["keep"] == "all" and way.nearest is None)
    size = _size(asked, way, holds_all) if rows_per_shard is None else checked_size(rows_per_shard, rows)
    return ShardPlan(
        method=PREFIX + way.method,
        settings=known,
        seed=asked.seed,
        target="loss",
        num_rows=len(rows),
        data=_digest(rows),
        weights=model_hash(learned.network),
        rows_per_shard=size,
        file_format="safetensors",
    )


def _digest(dataset: Dataset) -> str:
    """A hash of the rows, with their weights and further tensors."""
    beside = {"weight": weights_of(dataset), **extra_of(dataset)}
    return " ".join([digest_of_data(dataset), *(f"{key} {described(v)}" for key, v in beside.items() if v is not None)])


def _size(asked: Asked, way: Ways, holds_all: bool) -> int:
    """As many queries as make 16 million numbers, of directions in weight space or of influences that are held."""
    network, num_rows = asked.learned.network, len(asked.learned.dataset)
    changed = network.get_submodule(last_linear(network)) if way.method == "last_layer" else network
    num_weights = sum(value.numel() for value in changed.parameters() if value.requires_grad)
    at_once = MOST_REPLAYED if way.method == "replay" else MOST_AT_ONCE
    return min(max(MOST_NUMBERS // max(num_weights, num_rows if holds_all else 1, 1), 1), at_once)


def _written(found: Influence) -> bytes:
    facts = {field.name: getattr(found, field.name) for field in fields(found) if field.name not in TENSORS}
    about = torch.frombuffer(bytearray(json.dumps(facts).encode()), dtype=torch.uint8)
    tensors = {name: getattr(found, name) for name in TENSORS if getattr(found, name) is not None}
    written: bytes = save({name: value.contiguous() for name, value in tensors.items()} | {"about": about})
    return written


def _read(path: Path) -> Influence:
    try:
        found = load(read_bytes(path, most=MOST_ROWS, within=path.parent))
        facts = json.loads(found.pop("about").numpy().tobytes())
        lists = {key: tuple(value) for key, value in facts.items() if isinstance(value, list)}
        return Influence(**{**facts, **lists, **found})
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"cannot read {path} ({error}); delete it and run influence_all again") from error
