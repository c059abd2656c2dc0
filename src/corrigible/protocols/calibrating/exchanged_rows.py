"""Rows to calibrate on, with what was marked exchanged between them.

Rows that hold a confounder show how often a model is right where the confounder helps. The model is to be used where
it does not help. So the marked content is dealt out anew between the rows, by a permutation: all of it is still there,
but it no longer tells the labels.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.augment.words import Words, occurrences, phrases_of, runs, with_words, without_places
from corrigible.batches import collate
from corrigible.data.dataset import all_labels, as_dataset, labelled, strata_of, task_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.swapping import is_background, lent, some_rows
from corrigible.errors import DataError, FeedbackError
from corrigible.feedback.checks import as_list
from corrigible.feedback.extent import require_something_left
from corrigible.feedback.masks import Marks, marks_of, marks_to_swap
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.predictive import predictive
from corrigible.progress import counted
from corrigible.protocols.corrections.judged_rows import require_same_inputs, rows_to_judge
from corrigible.protocols.corrections.usable_feedback import usable_marks
from corrigible.tasks.classes import require_labels
from corrigible.types import Batch, Task

log = logging.getLogger(__name__)

MOST_REVIEWED, ROWS_AT_ONCE = 256, 256
COMMON_SHARE = 0.15
"""Share of the marked rows from which on what they mark is exchanged on all rows without marks of their own."""


@dataclass(frozen=True)
class CalibrationRows:
    """The rows, and where content is exchanged on them."""

    dataset: Dataset
    index: Int[Tensor, " row"]
    """The positions of the rows that are used."""
    marks: Marks | None = None
    """The marks on these rows; None for rows as they are, or if none of them is marked."""
    reviewed: Batch | None = None
    """Marked rows, whose marks lie on the rows that have none of their own; None for rows as they are."""

    @property
    def y(self) -> Int[Tensor, " row"]:
        """The labels, on the CPU."""
        return all_labels(self.dataset)[self.index].cpu().long()

    @property
    def is_exchanged(self) -> bool:
        return self.reviewed is not None

    def dealt(self, seed: int) -> Iterator[Float[Tensor, " part *input"]]:
        """The inputs, a part of the rows at a time, with what was marked exchanged once.

        Raises:
            FeedbackError: no row would be changed; or the marks are backgrounds, and rows have none of their own.
        """
        generator = torch.Generator().manual_seed(seed)
        donor = self.index[torch.randperm(len(self.index), generator=generator)]
        where = torch.rand(len(self.index), generator=generator)
        lead = torch.randint(1 if self.reviewed is None else len(self.reviewed.x), donor.shape, generator=generator)
        is_changed = self.reviewed is None
        for place in torch.arange(len(self.index)).split(ROWS_AT_ONCE):
            rows = collate(self.dataset, self.index[place], self.marks)
            if self.reviewed is None:
                yield rows.x
                continue
            lending = collate(self.dataset, donor[place], self.marks)
            if tokens_of(self.dataset) is not None:
                x = _reading(rows, lending, self.reviewed, where[place])
            else:
                x = _wearing(rows, lending, self.reviewed, lead[place])
            is_changed = is_changed or not torch.equal(x, rows.x)
            yield x
        if not is_changed:
            raise FeedbackError(
                "all rows to calibrate on hold the same where they are marked: exchanging it changes nothing; give "
                "other rows, or no feedback to calibrate on rows as they are"
            )


def calibration_rows(data: Any, feedback: Any, validation: Any, *, task: Task | None = None) -> CalibrationRows:
    """The rows to calibrate on: those of ``validation``, or of ``data`` without it.

    Of ``data`` only the marked rows are used if these are of every class. Otherwise, and of ``validation`` always, all
    rows are used: one without marks of its own gets other content where a drawn marked row is marked and where many
    marked rows are, a text where it holds words that were marked on another.

    Args:
        task: what the labels mean, where that is known; None for what the data says.

    Raises:
        FeedbackError: feedback that does not fit or marks nothing.
        DataError: data without classes, or of another task; validation rows with other columns or of another shape.
    """
    dataset = labelled(as_dataset(data, task=task))
    if (task := task_of(dataset)).logits is None:
        raise DataError(f"calibration here is of classes; the labels are of the task {task.name!r}")
    if feedback is None:
        rows = dataset if validation is None else labelled(as_dataset(validation, task=task_of(dataset)))
        require_same_inputs(rows, dataset)
        return CalibrationRows(rows, torch.arange(len(rows)))
    said = as_list(feedback)
    if not said:
        raise FeedbackError("no feedback; expected at least one marked region, or None for rows as they are")
    marks = marks_of(said, dataset) if validation is None else usable_marks(said, dataset)
    require_something_left(marks.irrelevant, dataset)
    marks = marks_to_swap(marks, strata_of(dataset))
    marked = marks.irrelevant.rows(strata_of(dataset))
    if not len(marked):
        raise FeedbackError("the feedback marks no input of any row; expected marked pixels, features or words")
    reviewed = collate(dataset, some_rows(marked, MOST_REVIEWED, 0), marks)
    if validation is not None:
        judged = rows_to_judge(dataset, marks, said, validation)
        assert judged.validation is not None
        every = torch.arange(len(judged.validation))
        return CalibrationRows(judged.validation, every, judged.validation_marks, reviewed)
    labels = strata_of(dataset)
    is_enough = set(labels[marked].tolist()) == set(labels.tolist()) and tokens_of(dataset) is None
    return CalibrationRows(dataset, marked if is_enough else torch.arange(len(dataset)), marks, reviewed)


def exchanged_logits(
    model: nn.Module, rows: CalibrationRows, *, num_exchanges: int, samples: int | None, seed: int
) -> Float[Tensor, " pass row_and_exchange num_classes"]:
    """The logits of each pass for the rows with their content exchanged this many times, one time after the other.

    In float64, on the CPU. Rows as they are come once, however many exchanges are asked for.

    Raises:
        DataError: probabilities that are NaN, or a label that the model has no class for.
    """
    _warn_if_failed(model)
    task, found = task_of(rows.dataset), []
    for number in counted("exchanged rows: exchange", range(num_exchanges if rows.is_exchanged else 1)):
        parts = rows.dealt((seed * 1_000_003 + number) % 2**63)
        found += [logits_of(model, x, task, samples=samples, seed=seed) for x in parts]
    logits = torch.cat(found, dim=1)
    require_probabilities(logits, rows.index)
    require_labels(rows.y, logits.shape[2])
    return logits


def logits_of(
    model: nn.Module, x: Float[Tensor, " row *input"], task: Task, *, samples: int | None, seed: int
) -> Float[Tensor, " pass row num_classes"]:
    """The logits of each pass, in float64, on the CPU."""
    assert task.logits is not None
    with evaluating(model), torch.no_grad():
        passes = predictive(model, like_parameters(x, model).clone(), task=task, samples=samples, seed=seed).passes
        return torch.stack([task.logits(outputs) for outputs in passes]).cpu().double()


def _warn_if_failed(model: nn.Module) -> None:
    if getattr(getattr(model, "verdict", None), "outcome", None) == "failed":
        log.warning("the correction of this network failed, and calibrating does not mend it; read its verdict first")


def require_probabilities(
    logits: Float[Tensor, " pass row_and_exchange num_classes"], index: Int[Tensor, " row"]
) -> None:
    """Raises DataError if a pass gives a row no probabilities; ``index`` are the positions of the rows."""
    bad = log_softmax(logits, dim=2).isnan().any(dim=2).any(dim=0).nonzero().flatten() % max(1, len(index))
    if len(bad):
        rows = index[bad].unique()
        raise DataError(
            f"the model's probabilities are NaN on row {int(rows[0])} ({len(rows)} such rows); train it again"
        )


def _wearing(rows: Batch, lending: Batch, reviewed: Batch, lead: Tensor) -> Tensor:
    """The rows with the donors' content where they are marked, or else where marked rows are."""
    assert reviewed.irrelevant is not None
    nothing = torch.zeros_like(rows.x, dtype=torch.bool)
    own, of_donors = (nothing if batch.irrelevant is None else batch.irrelevant for batch in (rows, lending))
    has_none = ~own.flatten(1).any(dim=1)
    if bool(has_none.any()):
        others = _laid_over(reviewed.irrelevant, lead).to(own.device)
        own = torch.where(has_none.view(-1, *[1] * (own.ndim - 1)), others, own)
    return torch.where(own, lent(lending.x, of_donors), rows.x)


def _laid_over(marked: Bool[Tensor, " reviewed *input"], lead: Int[Tensor, " part"]) -> Bool[Tensor, " part *input"]:
    """The drawn rows' marks, and what many rows mark, so that a cue is exchanged that is in one of a few places."""
    if marked.ndim == 4 and bool(is_background(marked).any()):
        raise FeedbackError(
            "most of some rows is marked, a background, which cannot be laid over rows that are not marked; mark the "
            "rows to calibrate on, and give them as data without validation"
        )
    common = marked.double().mean(dim=0) >= COMMON_SHARE
    return marked[lead] if bool(is_background(common[None])) else marked[lead] | common


def _reading(rows: Batch, lending: Batch, reviewed: Batch, where: Float[Tensor, " part"]) -> Tensor:
    """The texts without marked words, and with those of the donors at drawn places."""
    phrases = [words for words, _ in phrases_of(reviewed)]
    x = without_places(rows.x, _marked_words(rows, phrases))
    every, places = torch.ones(1, dtype=torch.bool, device=x.device), _marked_words(lending, phrases)
    for row in places.any(dim=1).nonzero().flatten().tolist():
        for begin, end in runs(places[row]):
            words = lending.x[row, begin:end]
            x[row] = with_words(x[row : row + 1], words, every, where[row : row + 1].to(x.device))[0]
    return x


def _marked_words(texts: Batch, phrases: list[Words]) -> Bool[Tensor, " part token"]:
    """The words that are marked, or are of a phrase that was marked on another text."""
    found = torch.zeros(texts.x.shape[:2], dtype=torch.bool, device=texts.x.device)
    if texts.irrelevant is not None:
        found |= texts.irrelevant.any(dim=2)
    for words in phrases:
        found |= occurrences(texts.x, words.to(texts.x))
    return found
