"""Hooker, Erhan, Kindermans and Kim 2019, A benchmark for interpretability methods in deep neural networks: ROAR.

Removing inputs makes rows unlike any that the network was trained on, so its errors on them say little about what it
used. A network that is trained again on such rows shows how much of the information an explanation found: it must do
worse after the most attributed inputs are removed than after as many random ones are.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, all_rows, as_dataset, require_different, task_of
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.explaining import Method, attribution_of
from corrigible.explanations.features import feature_index
from corrigible.explanations.quality.curves import Ranking, ranking_of, without_top_of
from corrigible.explanations.question import question_of
from corrigible.models.draws import row_uniform
from corrigible.models.fresh_weights import untrained
from corrigible.models.networks import trainable_network
from corrigible.protocols.mean_quality import mean_quality
from corrigible.protocols.schedule import Schedule, require_fit, run
from corrigible.protocols.steps import require_ordinary
from corrigible.training import Epoch

EXPLAINED, RANDOM = "explained", "random"
SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Retrained:
    """The accuracy of a network that was trained from fresh weights on rows with some inputs removed."""

    ranking: str
    """``explained``: the most attributed inputs were removed; ``random``: as many inputs, drawn for each row."""
    share: float
    """Share of each row's inputs, pixels or features that was removed."""
    accuracy: float
    """On test rows from which the same share was removed in the same way; for other tasks than classes the quality
    (`Task.quality`)."""


def remove_and_retrain(
    model: nn.Module,
    train: Any,
    test: Any,
    *,
    method: Method = "integrated_gradients",
    shares: Sequence[float] = SHARES,
    baseline: Baseline = None,
    epochs: int = 24,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    **settings: Any,
) -> list[Retrained]:
    """The accuracy of retrained networks after each share of inputs is removed, by attribution and at random.

    In every row of both data sets the inputs are ranked by the size of their attributions, for the class that the model
    predicts, or for what the task explains; with the label as target, the missing inputs would reveal it. All channels
    of a pixel and all columns of a feature are removed together. The lower the accuracies are below the random ones,
    the better the explanation.

    Args:
        model: trained on ``train``; it is left unchanged.
        train, test: ``(x, y)`` arrays or map-style data sets of (x, y), which must fit in memory.
        method: a name that `explain` takes, or any (model, x, target, *, settings) -> like x.
        baseline: the values of removed inputs: None for the mean over the training rows, of each channel of images and
            of each input of other rows; a number, or a tensor that broadcasts to one row.
        epochs: epochs of each training; there are two trainings for each share above 0.
        settings: settings of the method.

    Raises:
        DataError: data with one class only, rows of other shapes, a baseline that does not fit.
        RecipeError: a share outside 0 to 1, an unknown method or setting.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    running = removing_and_retraining(
        model, train, test, method=method, shares=shares, baseline=baseline, schedule=schedule, seed=seed, **settings
    )
    return [found for found in running if isinstance(found, Retrained)]


def removing_and_retraining(
    model: nn.Module,
    train: Any,
    test: Any,
    *,
    method: Method = "integrated_gradients",
    shares: Sequence[float] = SHARES,
    baseline: Baseline = None,
    schedule: Schedule,
    seed: int = 0,
    **settings: Any,
) -> Generator[Epoch | Retrained, None, None]:
    """Like `remove_and_retrain`, but yields progress: each epoch, and each result once it is measured."""
    for share in shares:
        if not 0 <= share <= 1:
            raise RecipeError(f"share is {share}; expected a number from 0 to 1")
    require_ordinary(schedule.step_factory(None), "remove_and_retrain")
    model, taught = trainable_network(model), all_rows(as_dataset(train))
    parts = [taught, all_rows(as_dataset(test, task=task_of(taught)))]
    _require_alike(model, *parts)
    empty = _mean_of(parts[0].x) if baseline is None else baseline_row(baseline, parts[0].x)
    rankings = {
        EXPLAINED: [_explained(model, part, method, seed, settings) for part in parts],
        RANDOM: [_random(part, seed, name) for part, name in zip(parts, ("train", "test"), strict=True)],
    }
    for share in shares:
        accuracy = None
        for name, of_parts in rankings.items():
            if share > 0 or accuracy is None:
                left = [
                    replace(part, x=without_top_of(part.x, ranking, share, empty))
                    for part, ranking in zip(parts, of_parts, strict=True)
                ]
                fresh = untrained(model, seed=seed).requires_grad_(True)
                yield from run(fresh, left[0], schedule, seed=seed)
                accuracy = mean_quality(fresh, left[1])
            yield Retrained(name, share, accuracy)


def _require_alike(model: nn.Module, train: TensorData, test: TensorData) -> None:
    require_different(train)
    require_fit(model, train)
    if test.x.shape[1:] != train.x.shape[1:]:
        found, expected = tuple(test.x.shape[1:]), tuple(train.x.shape[1:])
        raise DataError(f"a test row has shape {found}; expected {expected}, as in training")


def _mean_of(x: Float[Tensor, " row *input"]) -> Float[Tensor, " *input"]:
    mean = x.mean(dim=(0, 2, 3), keepdim=True)[0] if x.ndim == 4 else x.mean(dim=0)
    return mean.expand(x.shape[1:])


def _explained(model: nn.Module, part: TensorData, method: Method, seed: int, settings: dict[str, Any]) -> Ranking:
    question = question_of(model, part.x, task=task_of(part))
    shared: dict[str, Any] = {"task": task_of(part), "seed": seed}
    shared |= {"columns": part.columns} if isinstance(method, str) else {}
    return _ranking(part, attribution_of(method, model, question.x, question.target, **shared, **settings).abs())


def _random(part: TensorData, seed: int, name: str) -> Ranking:
    drawn = row_uniform(torch.arange(len(part)), tuple(part.x.shape[1:]), seed=seed, name=f"remove_and_retrain/{name}")
    return _ranking(part, drawn)


def _ranking(part: TensorData, size: Tensor) -> Ranking:
    return ranking_of(part.x, size, None if part.columns is None else feature_index(part.columns))
