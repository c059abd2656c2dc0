"""What was forgotten, and what it did to the model on forgotten and kept rows."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from corrigible.data.dataset import TensorData, rows_of, task_of
from corrigible.data.swapping import some_rows
from corrigible.feedback.masks import fingerprint
from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.models.predictive import all_outputs
from corrigible.printable import plural
from corrigible.protocols.mean_quality import mean_quality

MOST_ROWS = 1000
"""On how many of the kept and of the forgotten rows it is measured what a copy lost."""


@dataclass(frozen=True)
class Changed:
    """A model before and after, on some of the rows."""

    rows: str
    num_rows: int
    quality_before: float
    quality_after: float
    """For classes the accuracy."""
    loss_before: float
    loss_after: float
    """The mean task loss."""


@dataclass(frozen=True)
class Unlearned:
    """How rows were forgotten."""

    method: str
    settings: Mapping[str, Any]
    """That were given; all others are the method's own."""
    seed: int
    what: str
    """Such as "60 rows" or "class 3, 350 rows"."""
    fingerprints: tuple[str, ...]
    """A hash of each forgotten row's inputs, in the order of the rows; not the inputs themselves."""
    kept: Changed
    forgotten: Changed
    quality_name: str
    seconds: float
    """Of the processor, without measuring."""
    ruin: str = ""
    """Why the copy is not worth having; "" where it lost no more on kept rows than it may."""

    @property
    def num_forgotten(self) -> int:
        """The number of forgotten rows."""
        return len(self.fingerprints)

    @property
    def digest(self) -> str:
        """One hash of all forgotten rows, whatever their order."""
        return hashlib.sha256("\n".join(sorted(self.fingerprints)).encode()).hexdigest()

    @property
    def line(self) -> str:
        """What was forgotten and what it did, in one line."""
        parts = [
            f"{self.quality_name} on {part.rows} rows {number(part.quality_before)} → {number(part.quality_after)}"
            for part in (self.forgotten, self.kept)
        ]
        found = f"{self.what} forgotten by {self.method}: {', '.join(parts)}, {number(self.seconds)} seconds"
        return f"{found}; but {self.ruin}" if self.ruin else found

    def __str__(self) -> str:
        return self.line

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        cells = [
            (
                part.rows,
                f"{part.num_rows:,}",
                *map(number, (part.quality_before, part.quality_after, part.loss_before, part.loss_after)),
            )
            for part in (self.forgotten, self.kept)
        ]
        name = self.quality_name
        return table_html(("rows", "number", f"{name} before", "after", "loss before", "after"), cells)


def changed(before: nn.Module, after: nn.Module, rows: TensorData, name: str, *, seed: int) -> Changed:
    """Both models on at most 1,000 of the rows, which the seed draws."""
    chosen = rows_of(rows, some_rows(torch.arange(len(rows)), MOST_ROWS, seed).sort().values)
    qualities, losses = ([of(model, chosen) for model in (before, after)] for of in (mean_quality, _mean_loss))
    return Changed(name, len(chosen), qualities[0], qualities[1], losses[0], losses[1])


def _mean_loss(model: nn.Module, rows: TensorData) -> float:
    task = task_of(rows)
    outputs = all_outputs(model, rows.x, task=task)
    y, extra = rows.y.cpu(), {name: values.cpu() for name, values in rows.extra.items()}
    return float(task.loss(outputs, y, extra).double().mean())


def ruin_of(kept: Changed, quality_name: str, most_lost: float) -> str:
    """What is said of a copy that lost more on kept rows than it may; "" for one that did not."""
    lost = kept.quality_before - kept.quality_after
    if lost <= most_lost:
        return ""
    return (
        f"it lost {number(lost)} of the {quality_name} on kept rows, and may lose {number(most_lost)}: take another "
        "method"
    )


def fingerprints_of(rows: TensorData) -> tuple[str, ...]:
    """A hash of each row's inputs."""
    return tuple(fingerprint(x) for x in rows.x)


def described(num_rows: int, label: str = "") -> str:
    """The forgotten rows in words."""
    return f"class {label}, {plural(num_rows, 'row')}" if label else plural(num_rows, "row")
