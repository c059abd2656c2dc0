"""Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim 2018, Sanity checks for saliency maps, section 4.

A network that has memorised shuffled labels has found no relation between inputs and labels. An explanation that looks
the same for this network therefore explains no such relation.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from corrigible.data.dataset import Labelled, TensorData, all_labels, as_dataset, labelled, require_different, task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.explanations.explaining import Method, attribution_of
from corrigible.explanations.question import question_of
from corrigible.explanations.trust.similarity import Comparison, compared
from corrigible.models.fresh_weights import untrained
from corrigible.models.networks import trainable_network
from corrigible.protocols.mean_quality import mean_quality
from corrigible.protocols.schedule import Schedule, require_fit, result_of, run
from corrigible.training import Epoch


@dataclass(frozen=True)
class LabelRandomisation:
    """How far explanations changed for a network that could only memorise its rows."""

    comparison: Comparison
    """The model's explanations against those of the network trained on shuffled labels."""
    accuracy: float
    """Share of the shuffled labels that the network memorised; near chance the check says little: use more epochs."""
    model: nn.Module
    """The network trained on shuffled labels."""


def label_randomisation(
    model: nn.Module,
    data: Any,
    x: Any,
    target: Any = None,
    *,
    method: Method = "integrated_gradients",
    epochs: int = 24,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    **settings: Any,
) -> LabelRandomisation:
    """Compare the model's explanations with those of the same network trained from fresh weights on shuffled labels.

    Args:
        model: trained on ``data``; it is left unchanged.
        data: ``(x, y)`` arrays or a map-style data set of (x, y).
        x: the rows to explain.
        target: the class to explain: one for all rows or one per row; None as in `explain`.
        method: a name that `explain` takes, or any (model, x, target, *, settings) -> like x.
        epochs: enough to memorise the shuffled labels, which takes longer than learning the real ones.
        settings: settings of the method.

    Raises:
        DataError: data with one class only, rows or a target that do not fit.
        RecipeError: an unknown method or setting.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    running = randomising_labels(model, data, x, target, method=method, schedule=schedule, seed=seed, **settings)
    return result_of(running)


def randomising_labels(
    model: nn.Module,
    data: Any,
    x: Any,
    target: Any = None,
    *,
    method: Method = "integrated_gradients",
    schedule: Schedule,
    seed: int = 0,
    **settings: Any,
) -> Generator[Epoch, None, LabelRandomisation]:
    """Like `label_randomisation`, but yields each `Epoch`."""
    model, dataset = trainable_network(model), labelled(as_dataset(data))
    require_different(dataset)
    require_fit(model, dataset)
    task = task_of(dataset)
    question = question_of(model, x, target, task=task)
    shared: dict[str, Any] = {"x": question.x, "target": question.target, "task": task, "seed": seed}
    explained = partial(attribution_of, method, **shared, **settings)
    trained = explained(model=model)  # Before training, so that a wrong setting is refused at once.
    shuffled = with_shuffled_labels(dataset, seed=seed)
    memorising = untrained(model, seed=seed).requires_grad_(True)
    yield from run(memorising, shuffled, schedule, seed=seed)
    return LabelRandomisation(
        compared(trained, explained(model=memorising), part="labels", seed=seed),
        mean_quality(memorising, shuffled),
        memorising,
    )


def with_shuffled_labels(dataset: Dataset, *, seed: int) -> Dataset:
    """The same rows with the same labels in another order, each with its exposure."""
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))
    moved = {name: values[order] for name, values in extra_of(dataset).items() if name == "exposure"}
    y = all_labels(dataset)[order]
    if isinstance(dataset, TensorData):
        return replace(dataset, y=y, extra={**dataset.extra, **moved})
    return Labelled(dataset, y, task_of(dataset), moved)
