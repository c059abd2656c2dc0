"""Judge models on rows of every class whose marked content is exchanged.

Accuracy on rows that hold the confounder prefers the fooled model, and the user has no rows without it; so the marked
content is exchanged (`exchanges`). Each class counts equally: a model that always predicts one class is right on that
class and wrong on all others. Where labels are not classes, each part of the rows counts equally: there a constant
prediction explains nothing. Content is then exchanged between rows of different strata (`Task.strata`).
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import one_hot

from corrigible.batches import collate
from corrigible.data.dataset import strata_of, task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.data.swapping import is_background
from corrigible.errors import FeedbackError, TrainingDivergedError
from corrigible.feedback.masks import Marks, marks_to_swap
from corrigible.models.bayes.drawing import over_draws
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.predictive import predictive
from corrigible.progress import counted
from corrigible.protocols.corrections.drawn_rows import (
    drawn,
    of_other_classes,
    some_of_all,
    some_of_each,
    some_of_queries,
)
from corrigible.protocols.corrections.exchanges import MOST_AT_ONCE, SWAPPED, Exchanged, Exchanges
from corrigible.protocols.corrections.judged import Judged, joined
from corrigible.types import Task

log = logging.getLogger(__name__)
MOST_REVIEWED = 256
LEAST_LIKELIHOOD = math.log(1e-30)
"""Least log-likelihood that counts."""


@dataclass(frozen=True)
class Judge:
    """The rows that models are judged on."""

    exchanges: Exchanges
    where: str
    """Which rows these are: "validation" or "training"."""
    task: Task

    def require_changes(self) -> None:
        """Raises FeedbackError if exchanging what was marked changes no row, so that nothing could be measured."""
        if self.exchanges.change_nothing():
            raise FeedbackError(
                f"all compared rows ({self.where}) hold the same where they are marked: exchanging it changes nothing, "
                "so that reliance on it can be neither measured nor corrected; mark inputs that differ between rows"
            )

    def judged(self, model: nn.Module) -> Judged:
        """The model's predictions for the judge's rows; the model is left unchanged.

        Of a network whose weights have a distribution they are means over draws, and dropout is off.

        Raises:
            TrainingDivergedError: a prediction that is NaN.
        """
        model, by_part = over_draws(model, self.task), dict[int, list[_Predicted]]()
        for rows in counted("judged: part of the exchanged rows", self.exchanges.rows()):
            by_part.setdefault(rows.part, []).append(_predicted(model, rows, self.task))
        # All rows of a part together, because in a ranking a row's quality is about the others.
        return joined([_judged(_together(found), self.task) for found in by_part.values()])

    @property
    def rows(self) -> tuple[int, str]:
        """How many rows of the data are judged, and of which kind, in words."""
        return self.exchanges.num_rows, self.exchanges.kinds(self.where)

    def score(self, model: nn.Module) -> float:
        """The swap score of the model (`Judged.score`)."""
        return self.judged(model).score


class _Predicted(NamedTuple):
    """Rows without their inputs, and what a model gives for them, on the CPU in float64."""

    part: int
    y: Shaped[Tensor, " row *label"]
    source: Shaped[Tensor, " row 1 *label"]
    other: Shaped[Tensor, " row lent *label"]
    extra: Mapping[str, Tensor]
    found: Float[Tensor, " row output"]
    scored: Float[Tensor, " row content output"]
    compared: Float[Tensor, " row other output"]


def _predicted(model: nn.Module, rows: Exchanged, task: Task) -> _Predicted:
    found, scored, compared = (_outputs(model, x, task) for x in (rows.found[:, None], rows.scored, rows.compared))
    y, source, other = (labels.cpu() for labels in (rows.y, rows.source, rows.other))
    extra = {name: values.cpu() for name, values in rows.extra.items()}
    return _Predicted(rows.part, y, source, other, extra, found[:, 0], scored, compared)


def _together(parts: Sequence[_Predicted]) -> _Predicted:
    """The rows of these pieces of one part, as one."""
    first = parts[0]
    tensors = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in first._fields
        if name not in ("part", "extra")
    }
    extra = {name: torch.cat([part.extra[name] for part in parts]) for name in first.extra}
    return _Predicted(part=first.part, extra=extra, **tensors)


def _judged(rows: _Predicted, task: Task) -> Judged:
    """What the predictions are worth; rows that have no quality, such as the only one of a query, are left out."""
    num_contents = rows.scored.shape[1]

    def each(measure: Callable[..., Tensor], *values: Tensor, extra: Sequence[Any] = ()) -> Tensor:
        """The measure of each row, for one content after the other."""
        parts = [part.expand(-1, num_contents, *part.shape[2:]) for part in values]
        found = [measure(*(part[:, place] for part in parts), *extra) for place in range(num_contents)]
        return torch.stack(found, dim=1).double()

    losses, hits = (
        each(measure, rows.scored, rows.y[:, None], extra=[rows.extra]) for measure in (task.loss, task.quality)
    )
    if bool(losses.isnan().any()):
        raise TrainingDivergedError("the swap score is not a number; lower the learning rate or the weights")
    # A swapped row as found holds the marked content; a worn row holds it where it is scored.
    pair = (rows.compared, rows.scored) if rows.part == SWAPPED else (rows.scored, rows.compared)
    found_hits = task.quality(rows.found, rows.y, rows.extra).double()
    found = Judged(
        torch.full((len(rows.y),), rows.part),
        torch.arange(len(rows.y)),
        task.strata(rows.y) if task.logits is not None else torch.zeros(len(rows.y), dtype=torch.long),
        (-losses if task.logits is None else (-losses).clamp_min(LEAST_LIKELIHOOD)).mean(dim=1),
        hits.mean(dim=1),
        each(task.moved, rows.scored, rows.compared).mean(dim=1),
        _pull(task, rows, each(task.drawn, *pair, rows.other, rows.source).mean(dim=1)),
        each(partial(_shares, task), rows.scored).mean(dim=1),
        found_hits,
        _guessed(task, rows),
    )
    is_known = ~(found.hits.isnan() | found_hits.isnan())
    if len(is_known) and not bool(is_known.any()):
        log.warning(
            f"{len(is_known)} rows with exchanged content cannot be judged: no two are of the same query with "
            "different labels; review several rows of a query"
        )
    return Judged(*(getattr(found, name)[is_known] for name in Judged.__dataclass_fields__))


def _guessed(task: Task, rows: _Predicted) -> Float[Tensor, " row"]:
    """The quality of the best guess without inputs, where labels are not classes."""
    if task.logits is not None or not (centre := task.start[0]):
        return rows.found.new_full((len(rows.y),), torch.nan if task.logits is not None else task.chance)
    return task.quality(rows.found.new_tensor(centre).expand(len(rows.y), -1), rows.y, rows.extra).double()


def _pull(task: Task, rows: _Predicted, pull: Float[Tensor, " row"]) -> Float[Tensor, " row"]:
    """The pull, NaN for texts that lost their words: the label that they are drawn from is not known."""
    is_unknown = task.logits is None and rows.part == SWAPPED and torch.equal(rows.source, rows.other)
    return torch.full_like(pull, torch.nan) if is_unknown else pull


def _shares(task: Task, outputs: Float[Tensor, " row output"]) -> Float[Tensor, " row num_predicted"]:
    """The predicted class as a row of 0 and 1; for tasks without classes the standardised outputs."""
    if task.logits is None:
        return task.standard(outputs)
    return one_hot(task.observed(outputs)["predicted"], task.logits(outputs).shape[1]).double()


@torch.no_grad()
def _outputs(
    model: nn.Module, x: Float[Tensor, " row content *input"], task: Task
) -> Float[Tensor, " row content output"]:
    with evaluating(model):
        parts = [
            predictive(model, like_parameters(part.clone(), model), task=task).outputs
            for part in x.flatten(0, 1).split(MOST_AT_ONCE)
        ]
    found: Tensor = torch.cat(parts).cpu().double().unflatten(0, x.shape[:2])
    return found


def build_judge(
    dataset: Dataset,
    marks: Marks,
    *,
    validation: Dataset | None = None,
    validation_marks: Marks | None = None,
    swap_rows: Tensor | None = None,
    wear_rows: Tensor | None = None,
    points: int = 4000,
    seed: int = 0,
) -> Judge:
    """A judge, with its rows drawn.

    Args:
        validation: rows that were not trained on, which wear the marked content; None for training rows.
        validation_marks: marks of rules on the validation rows, which are then swapped instead of training rows.
        swap_rows: the reviewed training rows that are swapped and lend their marked content; None for all.
        wear_rows: the training rows that wear content; None for all.
        points: approximate number of rows that pass through a model.
    """
    generator = torch.Generator().manual_seed(seed)
    task, labels = task_of(dataset), strata_of(dataset)
    marks = marks_to_swap(marks, labels)
    index = marks.irrelevant.rows(labels) if swap_rows is None else swap_rows
    reviewed = collate(dataset, drawn(index, MOST_REVIEWED, generator), marks)
    assert reviewed.irrelevant is not None
    rows = (dataset, marks, labels)
    if validation is not None and validation_marks is not None:
        rows = (validation, validation_marks, strata_of(validation))
        index = validation_marks.irrelevant.rows(rows[2])
    others = dataset if validation is None else validation
    pool = torch.arange(len(others)) if wear_rows is None or validation is not None else wear_rows
    can_wear = not bool(is_background(reviewed.irrelevant).all()) and not bool(rows[1].irrelevant.everywhere.any())
    swapped = _swaps(index, rows[2], points // 2, generator, some=_drawer(task, rows[0]))
    wearing = pool if can_wear else pool[:0]
    lending = task.strata(reviewed.y)
    of_others = strata_of(others)
    worn = _wearers(wearing, of_others, lending, points // 6, generator, some=_drawer(task, others))
    covered = torch.cat([rows[2][swapped[0]], of_others[worn[0]]])
    missing = pool[~torch.isin(of_others[pool], covered)]
    plain = some_of_each(missing, of_others, points // 8, generator)
    exchanges = Exchanges(rows[0], rows[1], *swapped, others, *worn, plain, reviewed)
    return Judge(exchanges, "training" if validation is None else "validation", task)


Drawer = Callable[[Tensor, Tensor, int, torch.Generator], Tensor]
"""(rows, labels, most, generator) -> some of the rows."""


def _drawer(task: Task, dataset: Dataset) -> Drawer:
    """How rows are drawn: equally many of each class, whole queries, or any."""
    query = extra_of(dataset).get("query") if "query" in task.extra else None
    if query is not None:
        return partial(some_of_queries, query)
    return some_of_each if task.logits is not None else some_of_all


def _swaps(
    index: Tensor, labels: Tensor, points: int, generator: torch.Generator, *, some: Drawer
) -> tuple[Tensor, Tensor]:
    """Rows to swap, and for each the positions of rows of other classes that lend their content."""
    index = some(index, labels, points // 4, generator)
    num_donors = min(20, max(4, points // max(1, len(index))))
    return index, of_other_classes(labels[index], labels, num_donors, generator)


def _wearers(
    pool: Tensor, labels: Tensor, reviewed: Tensor, most: int, generator: torch.Generator, *, some: Drawer
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows that wear the content of a reviewed row of another class, that row, and one that lends other content."""
    rows = some(pool, labels, most, generator)
    lead = of_other_classes(labels[rows], reviewed, 1, generator)[:, 0]
    has_other = (labels[rows][:, None] != reviewed[None]).any(dim=1)
    donor = torch.randint(len(labels), lead.shape, generator=generator)
    return rows[has_other], lead[has_other], donor[has_other]
