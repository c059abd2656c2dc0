"""Measures a model before and after its influence was limited."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.data.dataset import all_rows, task_of
from corrigible.data.group_values import all_groups
from corrigible.data.protocol import Dataset, columns_of
from corrigible.evaluation import difference, measure, observations_for
from corrigible.explanations.question import answers
from corrigible.group_gaps import OF_PRICES
from corrigible.observations import OBSERVATIONS, gather
from corrigible.surgery import Proxy, as_known, told_by
from corrigible.types import Columns, Feedback, Measurements, Region

MOST_ROWS = 20_000
"""From which a regression learns what others tell."""


NUM_RESAMPLES = 200
"""For intervals: four times as many are drawn, since both models and their difference are measured."""


class Compared(NamedTuple):
    """The measurements of both models, and of the change."""

    before: Measurements
    after: Measurements
    change: Measurements


def compared(was: nn.Module, now: nn.Module, rows: Dataset, region: Region | None, *, seed: int) -> Compared:
    """Both models on the same rows: quality, and how far the inputs of the region move predictions."""
    metrics = [*_of_quality(rows), *([] if region is None else _of_reliance(rows, region))]
    feedback = () if region is None else [Feedback(region, scope="dataset")]
    wanted: dict[str, Any] = {"names": observations_for(metrics), "feedback": feedback, "seed": seed}
    first, second = (gather(model, rows, **wanted) for model in (was, now))
    how: dict[str, Any] = {"num_resamples": NUM_RESAMPLES, "seed": seed}
    before, after = (measure(found, metrics, **how) for found in (first, second))
    return Compared(before, after, difference(first, second, metrics, **how))


def _of_quality(rows: Dataset) -> list[str]:
    """The metrics of the task that look at predictions and labels alone."""
    return [
        name
        for name in task_of(rows).metrics
        if all(OBSERVATIONS[found].about == "rows" and found != "group" for found in observations_for([name]))
    ]


def _of_reliance(rows: Dataset, region: Region) -> list[str]:
    """How far predictions move; mirrored values are those of a row only where they are numbers."""
    has_groups = all_groups(rows) is not None
    if task_of(rows).logits is None:
        is_price = task_of(rows).name in OF_PRICES
        return ["mean_shift", *(["group_mean_gap"] if has_groups and is_price else [])]
    columns = columns_of(rows)
    holds_categories = columns is not None and any(
        one_hot and feature in getattr(region, "names", ())
        for feature, one_hot in zip(columns.feature, columns.one_hot, strict=True)
    )
    gap = ["group_prob_gap"] if has_groups and task_of(rows).name == "classes" else []
    return ["mean_shift", *([] if holds_categories else ["flip_effect"]), *gap]


def proxies_of(dataset: Dataset, rows: Dataset, is_limited: Bool[Tensor, " column"]) -> tuple[Proxy, ...]:
    """How well the other columns tell each limited feature; nothing for inputs without names."""
    columns = columns_of(dataset)
    if columns is None:
        return ()
    learn, test = (all_rows(part).x[:MOST_ROWS] for part in (dataset, rows))
    names = _limited_features(columns, is_limited)
    return tuple(
        told_by(name, learn[:, ~is_limited], known, test[:, ~is_limited], wanted)
        for name, (known, wanted) in zip(names, _held(names, columns, learn, test), strict=True)
    )


def told_by_predictions(
    model: nn.Module, dataset: Dataset, rows: Dataset, is_limited: Bool[Tensor, " column"], *, seed: int
) -> tuple[Proxy, ...]:
    """How well the model's predictions alone tell each limited feature; nothing for inputs without names."""
    columns, task = columns_of(dataset), task_of(dataset)
    if columns is None:
        return ()
    learn, test = (all_rows(part).x[:MOST_ROWS] for part in (dataset, rows))
    outputs = [task.standard(task.outputs(answers(model, x, seed=seed))).double() for x in (learn, test)]
    names = _limited_features(columns, is_limited)
    return tuple(
        told_by(name, outputs[0], known, outputs[1], wanted)
        for name, (known, wanted) in zip(names, _held(names, columns, learn, test), strict=True)
    )


def unit_proxies(
    learn: Float[Tensor, " row unit"], test: Float[Tensor, " test unit"], units: Sequence[int], *, layer: str
) -> tuple[Proxy, ...]:
    """How well the other units of a layer tell each limited one, from activations to learn and to measure on."""
    others = torch.ones(learn.shape[1], dtype=torch.bool)
    others[list(units)] = False

    def told(unit: int) -> Proxy:
        known, wanted = (part[:, unit].double() for part in (learn, test))
        return told_by(f"unit {unit} of layer {layer}", learn[:, others], known, test[:, others], wanted)

    return tuple(map(told, units))


def _limited_features(columns: Columns, is_limited: Bool[Tensor, " column"]) -> list[str]:
    named = zip(columns.feature, is_limited.tolist(), strict=True)
    return list(dict.fromkeys(name for name, is_one in named if is_one))


def _held(names: Sequence[str], columns: Columns, learn: Tensor, test: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What both parts of the rows hold in each feature."""
    places = [[place for place, feature in enumerate(columns.feature) if feature == name] for name in names]
    return [as_known(learn[:, own], test[:, own], is_category=columns.one_hot[own[0]]) for own in places]
