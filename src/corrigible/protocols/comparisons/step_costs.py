"""The cost of one correction step, as a ratio to a plain step in the same run, since machines are shared and noisy."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from corrigible.batches import augmented
from corrigible.data.protocol import Dataset
from corrigible.feedback.masks import Marks
from corrigible.models.forward import Augment
from corrigible.models.modes import PrivateRandomness, device_of, learning
from corrigible.models.networks import copied
from corrigible.objective import objective_of
from corrigible.progress import counted
from corrigible.protocols.ahead import changed_ahead, groups, split_ahead
from corrigible.protocols.schedule import Schedule, batches_of
from corrigible.protocols.training_facts import Known, augments_of, provided, split_method
from corrigible.training import plain_step

Method = Mapping[Any, Any]
"""Penalties and augmentations, by name or as functions, with their settings."""
NUM_UNTIMED = 2


def step_costs(
    model: nn.Module,
    dataset: Dataset,
    marks: Marks,
    methods: Mapping[str, Method],
    schedule: Schedule,
    *,
    num_steps: int = 12,
    seed: int = 0,
) -> dict[str, float]:
    """Each method's time for a step, divided by that of plain training.

    The methods take turns, and the shortest step of each counts: other processes only ever make a step longer.

    Args:
        methods: name -> its penalties and augmentations; weights do not matter, all are set to 1.
    """
    with PrivateRandomness(seed):
        plain = _step(model, dataset, None, {}, schedule, seed)
        steps = {name: _step(model, dataset, marks, method, schedule, seed) for name, method in methods.items()}
        times: dict[str, list[float]] = {name: [] for name in steps}
        of_plain: list[float] = []
        for number in counted("costs of a step: trial", range(NUM_UNTIMED + num_steps)):
            for found, step in [(of_plain, plain), *((times[name], step) for name, step in steps.items())]:
                seconds = _seconds(step.alone) + _seconds(step.ahead) / step.num_batches
                if number >= NUM_UNTIMED:
                    found.append(seconds)
    return {name: min(found) / min(of_plain) for name, found in times.items()}


class _Step(NamedTuple):
    """One step on a copy of the model, each time on the same rows."""

    alone: Callable[[], object]
    ahead: Callable[[], object]
    """The changes that are made for several batches at once."""
    num_batches: int


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _step(
    model: nn.Module, dataset: Dataset, marks: Marks | None, method: Method, schedule: Schedule, seed: int
) -> _Step:
    trained, device = copied(model), device_of(model)
    labelled, reviewed = batches_of(dataset, schedule, marks, seed)
    rows = next(iter(reviewed(0))).to(device) if reviewed else None
    terms, changes = split_method(method)
    augments: Sequence[Augment] = ()
    if marks is not None:
        known = Known(model, dataset, marks, seed)
        terms, augments = provided([replace(term, weight=1.0) for term in terms], known), augments_of(changes, known)
    optimizer = schedule.optimizer_of([p for p in trained.parameters() if p.requires_grad])
    (ahead, each), loss = split_ahead(augments), schedule.label_loss
    batch = next(iter(changed_ahead(trained, labelled, ahead, seed)(0))).to(device)
    group = next(groups(labelled(0)))
    objective = partial(objective_of, trained, reviewed=rows, loss=loss, terms=terms, epoch=0, seed=seed)

    def alone() -> None:
        with learning(trained):
            plain_step(optimizer, partial(objective, augmented(trained, batch, each, torch.Generator())))

    def together() -> None:
        list(changed_ahead(trained, lambda _: iter(group), ahead, seed)(0))

    return _Step(alone, together, len(group))
