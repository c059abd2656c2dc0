"""Batches to which each row belongs with a fixed probability, whatever the others do (Poisson sampling).

Abadi et al. 2016, Deep learning with differential privacy: the accountant's figures hold for such batches and for no
others. Their sizes differ, and some are empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from corrigible.batches import Batches, collate
from corrigible.data.protocol import Dataset
from corrigible.feedback.masks import Marks
from corrigible.protocols.privacy.randomness import randomness_of
from corrigible.types import Batch


@dataclass(frozen=True)
class Sampling:
    """How many rows a run draws from, and how many it draws for a step in the mean."""

    num_rows: int
    batch_size: int
    steps_per_epoch: int
    num_steps: int
    num_reviewed: int = 0
    """0 where no rows are drawn beside the label batches."""
    reviewed_batch_size: int = 0

    @property
    def rate(self) -> float:
        """The probability that a row is in a label batch."""
        return min(1.0, self.batch_size / self.num_rows)

    @property
    def reviewed_rate(self) -> float | None:
        """The probability that a reviewed row is in a batch of reviewed rows; None where there are none."""
        return min(1.0, self.reviewed_batch_size / self.num_reviewed) if self.num_reviewed else None

    @property
    def expected_rows(self) -> float:
        """The mean number of rows of a label batch."""
        return self.rate * self.num_rows

    @property
    def expected_reviewed(self) -> float:
        """The mean number of rows of a batch of reviewed rows."""
        return (self.reviewed_rate or 0.0) * self.num_reviewed


def poisson_batches(
    dataset: Dataset,
    rows: Tensor,
    rate: float,
    *,
    num_batches: int | None,
    marks: Marks | None = None,
    seed: int | None = None,
) -> Batches:
    """Batches of rows that are each drawn with probability ``rate``.

    Args:
        rows: positions of the rows to draw from.
        num_batches: of an epoch; None for an endless stream.
        seed: the same epoch gives the same batches again; None for draws that nobody can repeat.
    """

    def batches(epoch: int) -> Iterator[Batch]:
        draws, done = randomness_of(None if seed is None else seed * 1_000_003 + epoch), 0
        while num_batches is None or done < num_batches:
            yield _collated(dataset, rows[draws.chosen(len(rows), rate)], marks)
            done += 1

    return batches


def _collated(dataset: Dataset, index: Tensor, marks: Marks | None) -> Batch:
    """The rows as a batch, which may have none."""
    if len(index):
        return collate(dataset, index, marks)
    return rows_in(collate(dataset, torch.tensor([0]), marks), slice(0, 0))


def rows_in(batch: Batch, some: slice) -> Batch:
    """The batch's rows at these places."""
    parts: dict[str, Any] = {
        f.name: value[some] for f in fields(batch) if isinstance(value := getattr(batch, f.name), Tensor)
    }
    return replace(batch, **parts, extra={name: value[some] for name, value in batch.extra.items()})
