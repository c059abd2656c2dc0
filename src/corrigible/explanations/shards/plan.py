"""The settings a shard folder was started with; resuming with others is refused."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corrigible.data.dataset import TensorData, rows_of
from corrigible.data.protocol import Dataset
from corrigible.errors import StudyError
from corrigible.explanations.shards.model_hash import digest, name_of
from corrigible.files import MOST_RECORD, read_text
from corrigible.folders import write_atomically

SHARD_BYTES, MOST_ROWS = 2**24, 4096
NUM_SAMPLED_ROWS = 64
READERS = {"counterfactuals": "read_counterfactuals", "influence": "read_influence"}
"""What reads shards, by the first word of their method; those of explainers `read_shards` reads."""


@dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """Everything that the content of the shards depends on."""

    method: str
    settings: Mapping[str, Any]
    """The settings of the method, with defaults; tensors are given by hash, functions by name."""
    seed: int
    target: str | int
    num_rows: int
    data: str
    """Hash of all rows if they are in memory; for a data set that reads rows on demand, of 64 evenly spread rows."""
    weights: str
    """Hash of the model's structure, parameters and buffers; for a function its name and a hash of what it holds."""
    rows_per_shard: int
    file_format: str
    format: int = 1

    @property
    def num_shards(self) -> int:
        return math.ceil(self.num_rows / self.rows_per_shard)

    @property
    def reader(self) -> str:
        """The function that reads the shards."""
        return READERS.get(self.method.split(" ")[0], "read_shards")


def rows_that_make_a_shard(dataset: Dataset) -> int:
    """The number of rows that make 16 MiB, at least 1 and at most 4096."""
    return min(max(SHARD_BYTES // rows_of(dataset, torch.tensor([0])).x.nbytes, 1), MOST_ROWS)


def described(value: Any) -> Any:
    """The value in a form that JSON can hold, the same in every process."""
    if isinstance(value, Tensor | np.ndarray):
        return f"sha256:{digest([('', value if isinstance(value, Tensor) else torch.tensor(value))])}"
    if isinstance(value, Mapping):
        return {str(key): described(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [described(part) for part in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: described(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return name_of(value)


def digest_of_data(dataset: Dataset) -> str:
    """Hash of all rows if they are in memory, or of some rows of a data set that reads them on demand."""
    rows = dataset
    if not isinstance(rows, TensorData):
        rows = rows_of(dataset, torch.linspace(0, len(dataset) - 1, NUM_SAMPLED_ROWS).round().long().unique())
    return digest([("x", rows.x), ("y", rows.y)])


def write_plan(plan: ShardPlan, path: Path) -> None:
    """Write the plan to a file, completely or not at all."""
    write_atomically(path, json.dumps(dataclasses.asdict(plan), indent=1).encode())


def read_plan(path: Path) -> ShardPlan:
    """The plan in this file.

    Raises:
        StudyError: the file is missing, damaged or of a newer version.
    """
    try:
        content = json.loads(read_text(path, most=MOST_RECORD, within=path.parent))
        plan = ShardPlan(**content)
    except (OSError, ValueError, TypeError) as error:
        raise StudyError(f"cannot read {path} ({error}); expected the plan of a data set's shards") from error
    if plan.format > ShardPlan.format:
        raise StudyError(
            f"{path} has format {plan.format}; this version reads up to {ShardPlan.format}: upgrade corrigible"
        )
    return plan


def require_same(begun: ShardPlan, now: ShardPlan, folder: Path) -> None:
    """Raises StudyError if the shards in the folder were started with another plan; the message lists the changes."""
    was, is_now = _flat(begun), _flat(json.loads(json.dumps(dataclasses.asdict(now))))
    missing = "nothing"
    differing = [key for key in {**was, **is_now} if was.get(key, missing) != is_now.get(key, missing)]
    if differing:
        changes = "; ".join(f"{key} was {was.get(key, missing)}, now {is_now.get(key, missing)}" for key in differing)
        raise StudyError(
            f"the shards in {folder} were started differently: {changes}. "
            "Resume with the same settings, choose another folder, or delete this one to start again"
        )


def _flat(plan: "ShardPlan | Mapping[str, Any]") -> dict[str, Any]:
    content = dict(plan if isinstance(plan, Mapping) else dataclasses.asdict(plan))
    settings: dict[str, Any] = content.pop("settings")
    return content | settings
