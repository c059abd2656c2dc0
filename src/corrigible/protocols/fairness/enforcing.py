"""Train a model on so that a gap between groups is at most what is asked for, at the least loss.

The penalty of the gap is added to the label loss. Its weight is chosen by short runs from the same model, judged by the
gap of what they *decide* on rows that they did not learn from: the validation rows, or without any each half of the
rows by the run that learned from the other half. The model itself never sees the attribute.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, labelled, require_different, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.trained_columns import remember_columns
from corrigible.errors import RecipeError, TrainingDivergedError
from corrigible.group_gaps import LOSS, Gap, GroupSettings, mean_square
from corrigible.losses import LossChoice
from corrigible.models.devices import device_named
from corrigible.models.modes import device_of
from corrigible.models.networks import copied, trainable_network
from corrigible.objective import Term, terms_of
from corrigible.progress import begun, shown
from corrigible.protocols.fairness.enforced import Enforced, compared_groups
from corrigible.protocols.fairness.group_means import group_means
from corrigible.protocols.fairness.judged_groups import (
    KINDS,
    JudgedGroups,
    gap_by_chance,
    joined_groups,
    judged_groups,
    require_groups,
)
from corrigible.protocols.fairness.lesson import LEAST_EPOCHS, Lesson
from corrigible.protocols.fairness.ruined import quality_of_guess, ruined
from corrigible.protocols.fairness.weight_for_gap import GapSearch, GapTrial, search_weight
from corrigible.protocols.schedule import Schedule, require_fit

log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=nn.Module)

LESS_QUALITY = 0.03
"""By how much the last run may predict worse than the trials with its weight."""
SLACK = 0.02
"""How much worse than the best constant guess a trial may predict by chance."""
FIRST_COST = 0.02
"""What the gap of the model as it is costs with the first weight, in the unit of the label loss."""


@dataclass(frozen=True)
class Fold:
    """Rows to learn from, and rows to judge by."""

    rows: Int[Tensor, " row"] | None
    """None for all."""
    judged: Dataset
    index: Int[Tensor, " row"] | None
    """Of the judged rows; None for all."""


class OfRows(NamedTuple):
    """What is said of the rows that judge."""

    note: str
    """Which groups are not judged; "" without any."""
    by_chance: float | None
    """The gap that chance alone brings (`gap_by_chance`)."""


Teach = Callable[[float, Int[Tensor, " row"] | None], nn.Module]
"""(weight, rows or None for all) -> a trained copy of the model."""


def enforce(
    model: Network,
    data: Any,
    penalty: str = "demographic_parity",
    *,
    gap: float = 0.03,
    sensitive: str | None = None,
    validation: Any = None,
    loss: LossChoice = "task_loss",
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float = 2e-3,
    device: Any = None,
    seed: Any = 0,
    progress: bool | None = None,
    finish: Callable[[nn.Module], None] | None = None,
    **settings: Any,
) -> Network:
    """A copy of the model, trained on, whose gap between groups is at most this one; the model itself is left as it is.

    Predictions never need the attribute. The attribute ``enforced`` of the copy, to be printed, says what was asked for
    and reached, what it cost, and what the other gaps did: closing one often opens another. Where no weight reaches the
    gap, the copy is the one that comes nearest, and a warning says so.

    Args:
        data: the rows to learn from, with the group of each: ``(x, y, group)`` arrays, or a data set.
        penalty: the name of a penalty that closes a gap: "demographic_parity", "equal_opportunity", "equalized_odds",
            "group_calibration" or "bounded_group_loss".
        gap: the largest difference between groups that is allowed: of rates of decisions for classes; of means relative
            to the mean of all rows for amounts and counts. Of an attribute that is a number, by how much predictions
            may change with its standard deviation.
        sensitive: the name of a tensor beside the rows, in ``extra``; None for their group.
        validation: rows to judge by, with the attribute; None for each half of ``data`` by the model that learned from
            the other half.
        loss: the label loss, as `correct` takes it.
        epochs, batch_size: None for 8 epochs, on few rows up to 20 for 160 steps, with a sixteenth of the rows per
            step, from 256 to 2,048.
        device, progress: as `correct` takes them.
        finish: changes each trained model in place before it is judged, such as a shift to the sum of the labels.
        settings: of the penalty, such as ``sharpness``.

    Raises:
        RecipeError: an unknown penalty or setting, one that closes no gap, or a gap that is not above 0.
        UnsupportedModelError: rows without the attribute, or a task that has no such gap.
        DataError: fewer than two groups of enough rows.
        TrainingDivergedError: training diverged with every weight.
    """
    asked = settings if sensitive is None else {"sensitive": sensitive, **settings}
    term = gap_term({penalty: {"weight": "auto", "gap": gap, **asked}})
    given, dataset = trainable_network(model), labelled(as_dataset(data))
    require_different(dataset)
    require_fit(given, dataset)
    start, number = copied(given), whole_number("seed", seed)
    start = start if device is None else start.to(device_named(device))
    how: dict[str, Any] = {"loss": loss, "learning_rate": learning_rate, "batch_size": batch_size}
    schedule = Schedule(epochs=epochs or LEAST_EPOCHS, optimizer="AdamW", **how)
    lesson = Lesson(start, dataset, term, schedule, epochs, number, finish)
    judged = None if validation is None else labelled(as_dataset(validation, task=task_of(dataset)))
    started = time.perf_counter()
    with shown(progress):
        found, search, of_rows = reach(given, dataset, term, lesson.taught, validation=judged, seed=number)
        about = About(term, search, of_rows, time.perf_counter() - started)
        enforced = enforced_record(given, found, dataset if judged is None else judged, about, number)
    remember_columns(found, columns_of(dataset))
    found = found.to(device_of(given))
    log.log(logging.INFO if enforced.has_reached and not enforced.ruin else logging.WARNING, enforced.line)
    found.enforced = enforced  # type: ignore[assignment]
    return found  # type: ignore[return-value]


def gap_term(penalties: Mapping[Any, Any]) -> Term:
    """The penalty, which closes a gap.

    Raises:
        RecipeError: an unknown penalty or setting, or one that closes no gap.
    """
    (term,) = terms_of(penalties, may_be_auto=True)
    if term.gap is None:
        raise RecipeError(f"penalty {term.name!r} closes no gap between groups; expected one of {', '.join(KINDS)}")
    return term


def reach(
    model: nn.Module, dataset: Dataset, term: Term, teach: Teach, *, validation: Dataset | None, seed: int
) -> tuple[nn.Module, GapSearch, OfRows]:
    """The model that reaches the term's gap at the least loss, the weights that were tried, and the rows that judged.

    Raises:
        DataError: fewer than two groups of enough rows.
        TrainingDivergedError: training diverged with every weight.
    """
    kind, how = term.declaration.gap, settings_of_groups(term)
    assert isinstance(kind, Gap) and term.gap is not None
    folds = _folds(dataset, validation, seed)
    taught: dict[float, list[nn.Module]] = {}
    before = _judged([model] * len(folds), folds, how)
    note = require_groups(before, kind, tuple(getattr(dataset, "group_names", ())))
    of_rows = OfRows(note, gap_by_chance(before, kind, seed))

    def tried(weight: float) -> GapTrial:
        begun(f"weight {weight:g} of {term.name}")
        try:
            taught[weight] = [teach(weight, fold.rows) for fold in folds]
        except TrainingDivergedError:
            return GapTrial(weight, math.inf, math.inf)
        judged = _judged(taught[weight], folds, how)
        return GapTrial(weight, judged.gap(kind), judged.loss, judged.quality)

    unchanged = GapTrial(0.0, before.gap(kind), before.loss, before.quality)
    _require_possible(term, before)
    if unchanged.gap <= term.gap:
        return copied(model), GapSearch(term.gap, (unchanged,)), of_rows
    least = quality_of_guess(before) - SLACK
    search = search_weight(tried, start=first_weight(before, kind, how), asked=term.gap, least_quality=least)
    if not taught:
        raise TrainingDivergedError(f"training diverges with each weight of {term.name}; lower the learning rate")
    kept = taught[search.chosen.weight]
    return (
        (kept[0] if validation is not None else _last(dataset, teach, search.chosen, kept, folds, how)),
        search,
        of_rows,
    )


def _last(
    dataset: Dataset,
    teach: Teach,
    chosen: GapTrial,
    halves: list[nn.Module],
    folds: tuple[Fold, ...],
    how: GroupSettings,
) -> nn.Module:
    """The network that learned from all rows with the chosen weight; one of the trials where it came out far worse.

    A gap is closed also by deciding alike about all, into which a run with a large weight may fall, and its trials not.
    """
    last = teach(chosen.weight, None)
    judged = judged_groups(last, dataset, how)
    is_worse = judged.loss > chosen.loss + FIRST_COST / 2
    if not is_worse and (chosen.quality is None or judged.quality >= chosen.quality - LESS_QUALITY):
        return last
    log.info("trained on all rows, it predicts far worse than the trials; the better of these is kept")
    losses = [judged_groups(of, dataset, how, index=fold.index).loss for of, fold in zip(halves, folds, strict=True)]
    return halves[losses.index(min(losses))]


def _require_possible(term: Term, judged: JudgedGroups) -> None:
    """Raises RecipeError for a gap of rates above 1."""
    if judged.task.name == "classes" and term.declaration.gap is not LOSS and (term.gap or 0) > 1:
        raise RecipeError(
            f"penalty {term.name!r} has gap {term.gap:g}, and rates differ by at most 1; expected a gap above 0 and at "
            "most 1: for 10 % write gap = 0.1"
        )


def settings_of_groups(term: Term) -> GroupSettings:
    """What the penalty compares."""
    given = term.method.settings
    return GroupSettings(given.get("sensitive"), bound=given.get("bound"))


def first_weight(judged: JudgedGroups, kind: Gap, how: GroupSettings) -> float:
    """The weight with which the present gap costs `FIRST_COST`."""
    size = float(mean_square(kind.parts(judged.task, judged.outputs, judged.rows, how)))
    return FIRST_COST / max(size, 1e-8)


class About(NamedTuple):
    """How a gap was reached."""

    term: Term
    search: GapSearch
    rows: OfRows
    seconds: float


def enforced_record(before: nn.Module, after: nn.Module, rows: Dataset, about: About, seed: int) -> Enforced:
    """What was reached, measured on these rows."""
    how, search = settings_of_groups(about.term), about.search
    judged = [judged_groups(of, rows, how) for of in (before, after)]
    was, now, change = compared_groups(*judged, seed=seed)
    groups, classes = (tuple(getattr(rows, f"{of}_names", ())) for of in ("group", "class"))
    return Enforced(
        penalty=about.term.name,
        sensitive=how.sensitive or "",
        asked=search.asked,
        reached=search.chosen.gap,
        has_reached=search.has_reached,
        weight=search.chosen.weight,
        trials=search.trials,
        before=was,
        after=now,
        change=change,
        groups=group_means(*judged, names=groups, classes=classes),
        by_chance=about.rows.by_chance,
        positive=classes[1] if len(classes) == 2 and judged[0].task.name == "classes" else "",
        note=about.rows.note,
        ruin=ruined(judged[0], judged[1], search.chosen.quality) if search.chosen.weight else "",
        seconds=about.seconds,
    )


def _folds(dataset: Dataset, validation: Dataset | None, seed: int) -> tuple[Fold, ...]:
    if validation is not None:
        return (Fold(None, validation, None),)
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))
    halves = [half.sort().values for half in order.chunk(2)]
    return tuple(Fold(rows, dataset, index) for rows, index in (halves, halves[::-1]))


def _judged(models: list[nn.Module], folds: tuple[Fold, ...], how: GroupSettings) -> JudgedGroups:
    return joined_groups(
        [judged_groups(of, fold.judged, how, index=fold.index) for of, fold in zip(models, folds, strict=True)]
    )
