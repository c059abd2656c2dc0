"""Trials: short runs that are trained without some of the reviewed rows and judged on these.

A network memorises the rows it is trained on; a score on these rows would rank it by how well it memorises.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.dataset import strata_of
from corrigible.data.protocol import Dataset
from corrigible.feedback.masks import Marks, Masks
from corrigible.methods import ConfiguredMethod
from corrigible.models.networks import copied
from corrigible.objective import Term
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.judge import Judge, build_judge
from corrigible.protocols.corrections.judged import Judged, joined
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.training_facts import Known, augments_of
from corrigible.training import Epoch

LEAST_TO_HOLD_OUT = 4
"""With fewer reviewed rows, none is held out."""
MANY = 40
"""From this many reviewed rows on, a quarter judges. With fewer, one half judges a model that the other half taught;
without validation rows the halves also change roles."""
HELD_OUT_SHARE = 0.15
"""Share of the rows without feedback that is held out if there are no validation rows."""


@dataclass(frozen=True)
class Fold:
    """Training rows that teach, and a judge that holds none of them."""

    rows: Int[Tensor, " row"] | None
    """None for all."""
    marks: Marks
    judge: Judge

    def taught(
        self,
        model: nn.Module,
        terms: Sequence[Term],
        changes: Sequence[ConfiguredMethod],
        schedule: Schedule,
        known: Known,
    ) -> Iterator[Epoch]:
        """Correct the model in place without the rows that judge it; ``known`` is used without the marks on them."""
        augment = augments_of(changes, replace(known, marks=self.marks))
        yield from run(
            model,
            known.dataset,
            schedule,
            marks=self.marks if terms else None,
            penalties=terms,
            augment=augment,
            rows=self.rows,
            step=careful_step if terms or changes else None,
            seed=known.seed,
        )


@dataclass(frozen=True)
class Trials:
    """The settings that all trials of one correction share."""

    schedule: Schedule
    folds: tuple[Fold, ...]
    changes: Sequence[ConfiguredMethod] = ()
    """Augmentations of the label batches."""

    @property
    def are_held_out(self) -> bool:
        """False if so few rows were reviewed that the judged rows are also trained on."""
        return all(fold.rows is not None or fold.judge.where == "validation" for fold in self.folds)

    def uncorrected(self, model: nn.Module) -> Judged:
        return joined([fold.judge.judged(model) for fold in self.folds])

    def run(self, terms: Sequence[Term], known: Known) -> Judged:
        """Correct one copy of the model per fold, for half of the epochs, and judge it on the fold's rows.

        Raises:
            TrainingDivergedError: the objective, the output or a probability is not a number.
        """
        schedule = short(self.schedule)
        found = []
        for fold in self.folds:
            tried = copied(known.model)
            for _ in fold.taught(tried, terms, self.changes, schedule, known):
                pass
            found.append(fold.judge.judged(tried))
        return joined(found)


def short(schedule: Schedule) -> Schedule:
    """The schedule with half of the epochs, and at least one."""
    return replace(schedule, epochs=max(1, schedule.epochs // 2))


def folds_of(
    dataset: Dataset, marks: Marks, *, validation: Dataset | None, validation_marks: Marks | None, seed: int
) -> tuple[Fold, ...]:
    """The folds: which rows teach and which judge; rules are judged on validation rows, others on rows held out."""
    labels = strata_of(dataset)
    reviewed = marks.irrelevant.rows(labels)
    reviewed = reviewed if len(reviewed) else marks.relevant.rows(labels)
    shared: dict[str, Any] = {"validation": validation, "seed": seed}
    by_row = bool(marks.irrelevant.by_row or marks.relevant.by_row)
    if validation_marks is not None or not by_row or len(reviewed) < LEAST_TO_HOLD_OUT:
        return (Fold(None, marks, build_judge(dataset, marks, validation_marks=validation_marks, **shared)),)
    order = _class_after_class(reviewed, labels, seed)
    parts = [order[::4]] if len(reviewed) >= MANY else [order[::2], order[1::2]]
    # With validation rows to wear the content, judging one half is good enough, at half the cost.
    parts = parts if validation is None else parts[:1]
    is_reviewed = torch.isin(torch.arange(len(labels)), reviewed)
    others = _mixed((~is_reviewed).nonzero().flatten(), labels, seed)
    # At least one of each class: a class without judged rows could get worse unnoticed.
    num_kept = max(round(HELD_OUT_SHARE * len(others)), min(len(labels.unique()), len(others) // 2))
    kept_back = others[:num_kept] if validation is None else others[:0]
    found = []
    for part in parts:
        rows = (~torch.isin(torch.arange(len(labels)), torch.cat([part, kept_back]))).nonzero().flatten()
        judge = build_judge(dataset, marks, swap_rows=part, wear_rows=kept_back, **shared)
        found.append(Fold(rows, without(marks, part), judge))
    return tuple(found)


def without(marks: Marks, rows: Tensor) -> Marks:
    """The marks without the feedback on these single rows."""
    gone = set(rows.tolist())

    def kept(masks: Masks) -> Masks:
        return replace(masks, by_row={row: mask for row, mask in masks.by_row.items() if row not in gone})

    return Marks(kept(marks.irrelevant), kept(marks.relevant))


def _class_after_class(rows: Tensor, labels: Tensor, seed: int) -> Int[Tensor, " row"]:
    """The rows shuffled and then sorted by class, so that every second or fourth one takes that share of each class."""
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    return rows[labels[rows].argsort(stable=True)]


def _mixed(rows: Tensor, labels: Tensor, seed: int) -> Int[Tensor, " row"]:
    """The rows shuffled so that classes take turns: any first part has about equally many of each class."""
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    turn = torch.zeros(len(rows), dtype=torch.long)
    for label in labels[rows].unique().tolist():
        of_class = labels[rows] == label
        turn[of_class] = torch.arange(int(of_class.sum()))
    return rows[turn.argsort(stable=True)]
