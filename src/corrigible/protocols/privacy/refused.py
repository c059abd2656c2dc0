"""What private training refuses, because clipping one row's gradient would not bound what that row tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.feedback.masks import Marks
from corrigible.methods import name_of
from corrigible.models.forward import Augment, Forward, Loss
from corrigible.models.modes import PrivateRandomness, device_of, evaluating, learning
from corrigible.models.networks import copied
from corrigible.models.own_outputs import spread_rows
from corrigible.objective import Term
from corrigible.protocols.privacy.sampling import rows_in
from corrigible.types import Batch

FACTS = ("background", "donors", "class_means", "input_range", "cues")
"""Settings that are made of other rows."""
NUM_TRIED = 6
CLOSE = 1e-3
NONE = slice(0, 0)
INSTEAD = "name a penalty that looks at the reviewed row alone, such as right_reasons or energy_outside"


@dataclass(frozen=True)
class Taught:
    """What is to be trained privately, and on what."""

    model: nn.Module
    dataset: Dataset
    loss: Loss
    terms: Sequence[Term]
    augment: Sequence[Augment]
    marks: Marks | None
    seed: int


def require_private(asked: Taught) -> None:
    """Check that what a row does to the weights goes through its own gradient alone.

    Raises:
        UnsupportedModelError: layers that normalise over rows or keep facts about them, or a task that compares rows.
        RecipeError: a penalty or augmentation made of other rows, or a label loss that looks at them.
    """
    _require_separate_layers(asked.model)
    if "query" in task_of(asked.dataset).extra:
        raise UnsupportedModelError(
            f"the task {task_of(asked.dataset).name!r} compares the rows of a query, so no row has a gradient of its "
            "own; private steps need a task with one loss for each row, such as classes"
        )
    if "teacher" in extra_of(asked.dataset):
        raise RecipeError(
            "the rows have extra['teacher'], and ε would not count what the teacher learned from them; train the "
            "teacher privately, and the student on rows that are not private with ordinary steps"
        )
    for term in asked.terms:
        _require_own_facts("penalty", term.name, term.method.settings)
        if term.declaration.gap is not None:
            raise RecipeError(
                f"penalty {term.name!r} compares groups of rows, so that no row has a gradient of its own; leave it "
                "out of private training, or choose thresholds for groups afterwards"
            )
    for change in asked.augment:
        settings = change.keywords if isinstance(change, partial) else {}
        _require_own_facts("augmentation", name_of(change), settings)
    rows = _some_rows(asked)
    with PrivateRandomness(asked.seed):
        _require_kept_buffers(asked.model, rows)
        _require_own_losses(asked, rows)
        for term in asked.terms:
            if term.looks_at == "weights":
                _require_no_rows(asked.model, term, rows)
            elif not term.on_reviewed_rows:
                _require_mean_of_rows(asked.model, term, rows)
        for change in asked.augment:
            _require_own_change(asked.model, change, rows)


def _require_separate_layers(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and (
            isinstance(module, nn.modules.batchnorm._BatchNorm) or module.track_running_stats
        ):
            raise UnsupportedModelError(
                f"layer {name!r} ({type(module).__name__}) mixes the rows of a batch, so that no row has a gradient of "
                "its own; build the network with GroupNorm or LayerNorm in its place"
            )


def _require_own_facts(what: str, name: str, settings: Mapping[str, Any]) -> None:
    taken = [fact for fact in FACTS if settings.get(fact) is not None]
    if taken == ["cues"]:
        raise RecipeError(
            f"{what} {name!r} moves content between rows, so that clipping a row's gradient does not bound what the "
            f"row tells; {INSTEAD}, with a weight"
        )
    if taken:
        raise RecipeError(f"{what} {name!r} takes {taken[0]} from other rows, which no clipping bounds; {INSTEAD}")


def _some_rows(asked: Taught) -> Batch:
    index = spread_rows(len(asked.dataset), NUM_TRIED)
    return collate(asked.dataset, index, asked.marks).to(device_of(asked.model))


def _require_kept_buffers(model: nn.Module, rows: Batch) -> None:
    """Raises UnsupportedModelError for a model that keeps something beside its weights when rows pass in training."""
    probe = copied(model)
    before = {name: buffer.clone() for name, buffer in probe.named_buffers()}
    with learning(probe), torch.no_grad():
        _ = Forward(probe, rows, track_input=False).outputs
    for name, buffer in probe.named_buffers():
        if not torch.equal(buffer, before[name]):
            raise UnsupportedModelError(
                f"buffer {name!r} changes when rows pass in training, and ε does not count what it keeps of them; "
                "build the network without it"
            )


def _require_own_losses(asked: Taught, rows: Batch) -> None:
    with evaluating(asked.model), torch.no_grad():
        at_once = _losses(asked, rows)
        singly = torch.cat([_losses(asked, row) for row in _singly(rows)])
    if not torch.allclose(at_once, singly, rtol=CLOSE, atol=CLOSE):
        raise RecipeError(
            f"loss {name_of(asked.loss)!r} gives a row another value beside other rows than alone, so that no row "
            "has a gradient of its own; expected a loss of each row's own outputs, such as task_loss"
        )


def _losses(asked: Taught, rows: Batch) -> Tensor:
    return asked.loss(Forward(asked.model, rows, track_input=False), rows)


def _require_no_rows(model: nn.Module, term: Term, rows: Batch) -> None:
    """Raises RecipeError for a penalty that says it looks at the weights alone, and differs without rows."""
    with evaluating(model), torch.no_grad():
        some, none = (term.value(Forward(model, part, track_input=False), part) for part in (rows, rows_in(rows, NONE)))
    if not torch.allclose(some, none):
        raise RecipeError(
            f'penalty {term.name!r} declares looks_at="weights", and is {float(some):.3g} with rows and '
            f'{float(none):.3g} without; expected looks_at="nothing" of a penalty that looks at outputs'
        )


def _require_mean_of_rows(model: nn.Module, term: Term, rows: Batch) -> None:
    """Raises RecipeError for a penalty of label rows that is not the mean of what it is for each row."""
    with evaluating(model):
        at_once, *singly = (
            float(term.value(Forward(model, some, track_input=True), some).detach()) for some in (rows, *_singly(rows))
        )
    mean = sum(singly) / len(singly)
    if abs(at_once - mean) > CLOSE * max(abs(at_once), abs(mean)):
        raise RecipeError(
            f"penalty {term.name!r} is {at_once:.3g} for {len(singly)} rows and {mean:.3g} in the mean of each "
            "alone: it compares rows, so that no row has a gradient of its own; leave it out of private training"
        )


def _require_own_change(model: nn.Module, change: Augment, rows: Batch) -> None:
    """Raises RecipeError for an augmentation in which another last row changes the other rows."""
    x = torch.cat([rows.x[:-1], rows.x[:1] + 1])
    y = torch.cat([rows.y[:-1], rows.y[:1]])
    changed = [change(model, batch, torch.Generator().manual_seed(0)) for batch in (rows, replace(rows, x=x, y=y))]
    if (count := len(changed[0].index)) != len(rows.index):
        raise RecipeError(
            f"augmentation {name_of(change)!r} gives {count} rows for {len(rows.index)}, so that a row would count "
            "more often than its gradient is clipped for; use one that changes each row, such as input_noise"
        )
    first, second = (found.x[: len(rows.index) - 1] for found in changed)
    if not torch.allclose(first, second):
        raise RecipeError(
            f"augmentation {name_of(change)!r} gives a row something of other rows, so that clipping a row's gradient "
            f"does not bound what the row tells; use one that looks at each row alone, such as input_noise"
        )


def _singly(rows: Batch) -> list[Batch]:
    return [rows_in(rows, slice(place, place + 1)) for place in range(len(rows.index))]
