"""Work through a data set shard by shard, each a file that is complete or absent; several processes share the work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.protocol import Dataset
from corrigible.errors import RecipeError, StudyError
from corrigible.explanations.shards.plan import (
    ShardPlan,
    read_plan,
    require_same,
    rows_that_make_a_shard,
    write_plan,
)
from corrigible.folders import write_atomically, writing_in
from corrigible.models.processes import num_processes, process_number, wait_for_all


@dataclass(frozen=True)
class ShardsPlanned:
    """The work to do; yielded before anything is explained."""

    name: str
    num_rows: int
    num_shards: int
    num_kept: int
    """Shards that an earlier, interrupted call finished."""


@dataclass(frozen=True)
class ShardWritten:
    """One more shard is complete on disk."""

    name: str
    number: int
    """How many shards are complete."""
    num_shards: int


@dataclass(frozen=True)
class Shards:
    """The files of one data set's shards."""

    folder: Path
    name: str
    plan: ShardPlan

    def path(self, number: int) -> Path:
        return self.folder / f"{self.name}-{number:05d}.{self.plan.file_format}"

    def index(self, number: int) -> Int[Tensor, " row"]:
        """The positions of the rows in a shard."""
        start = number * self.plan.rows_per_shard
        return torch.arange(start, min(start + self.plan.rows_per_shard, self.plan.num_rows))

    def missing(self) -> list[int]:
        present = {path.name for path in self.folder.iterdir()}
        return [number for number in range(self.plan.num_shards) if self.path(number).name not in present]


def begin(shards: Shards) -> list[int]:
    """Write the plan, or check it against the existing one; return the numbers of the missing shards."""
    path = plan_path(shards.folder, shards.name)
    if process_number() == 0:
        with writing_in(shards.folder):
            shards.folder.mkdir(parents=True, exist_ok=True)
        begun = replace(shards, plan=read_plan(path)) if path.exists() else shards
        has_shards = len(begun.missing()) < begun.plan.num_shards
        if has_shards and not path.exists():
            raise StudyError(f"{shards.folder} holds shards without {path.name}; choose another folder")
        if not has_shards:
            write_plan(shards.plan, path)
    wait_for_all()
    require_same(read_plan(path), shards.plan, shards.folder)
    missing = shards.missing()
    wait_for_all()  # No process writes before all have checked.
    return missing


def write_missing(
    shards: Shards, missing: list[int], content: Callable[[Int[Tensor, " row"]], bytes]
) -> Iterator[ShardWritten]:
    """Write this process's part of the missing shards, each the content of its rows; the count includes all shards."""
    total, num_there = shards.plan.num_shards, 0
    for number in missing[process_number() :: num_processes()]:
        write_atomically(shards.path(number), content(shards.index(number)))
        num_there = total - len(shards.missing())
        yield ShardWritten(shards.name, num_there, total)
    wait_for_all()
    if missing and num_there < total:
        yield ShardWritten(shards.name, total, total)


def planned(shards: Shards, missing: list[int]) -> ShardsPlanned:
    """What there is to do where these shards are missing."""
    total = shards.plan.num_shards
    return ShardsPlanned(shards.name, shards.plan.num_rows, total, total - len(missing))


def shards_in(folder: str | Path, name: str, *, reader: str | None = None) -> Shards:
    """The shards of this name, whether they are finished or not.

    Args:
        reader: the function that will read them; None for not reading them.

    Raises:
        StudyError: there is no plan of this name, or another function reads these shards.
    """
    folder = Path(folder)
    plan = read_plan(plan_path(folder, name))
    if reader not in (None, plan.reader):
        raise StudyError(f"the shards in {folder} are of {plan.method!r}; read them with {plan.reader}")
    return Shards(folder, name, plan)


def finished_paths(shards: Shards) -> list[Path]:
    """The files of all shards, in the order of the rows.

    Raises:
        StudyError: shards are missing.
    """
    if missing := shards.missing():
        raise StudyError(
            f"{len(missing)} of {shards.plan.num_shards} shards are missing in {shards.folder}, first "
            f"{shards.path(missing[0]).name}; make them by the call that began them, with the same arguments"
        )
    return [*map(shards.path, range(shards.plan.num_shards))]


def checked_size(rows_per_shard: int | None, dataset: Dataset) -> int:
    if rows_per_shard is None:
        return rows_that_make_a_shard(dataset)
    if rows_per_shard < 1:
        raise RecipeError(f"rows_per_shard is {rows_per_shard}; expected at least 1")
    return rows_per_shard


def plan_path(folder: Path, name: str) -> Path:
    return folder / f"{name}-plan.json"
