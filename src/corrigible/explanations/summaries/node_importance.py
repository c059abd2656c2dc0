"""Which units of a network carry a score, and which inputs drive them.

The contribution of a unit to a row's score is activation × gradient (`layer_attribution`). What reaches the score by
way of a unit is in units of the score too: of a unit of the layer before, its activation × the gradient of this unit's
contribution, at a fixed gradient of the score; of an input, its integrated gradient of the unit's activation
(Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks) × the gradient of the score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.explanations.explaining import explain
from corrigible.explanations.features import feature_index, plain_columns
from corrigible.explanations.groups import by_group
from corrigible.explanations.layer_output import LayerOutput, by_unit, score_at, score_without
from corrigible.explanations.layers import layer_passes_of
from corrigible.explanations.passes import pass_over
from corrigible.explanations.question import Question, checked_question
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Score
from corrigible.models.hidden_units import hidden_layers
from corrigible.models.modes import untouched
from corrigible.models.networks import network_of
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

MOST_ROWS = 256
"""From which the inputs that drive a unit are found."""


class Unit(NamedTuple):
    """How much a unit of a layer contributes to the score."""

    layer: str
    number: int
    size: float
    """Mean absolute contribution over rows; of a channel, the sum over its positions."""
    mean: float
    """Mean contribution: above 0 where the unit raises the score."""
    share: float
    """Of the sizes of all units of the layer."""


class Link(NamedTuple):
    """What an input, or a unit of the layer before, contributes to the score by way of a unit."""

    source: str | Unit
    unit: Unit
    size: float
    """Mean absolute contribution over rows."""
    mean: float


@dataclass(frozen=True)
class NodeImportance:
    """The units of some layers, ranked, and what reaches the most important of them."""

    units: Mapping[str, tuple[Unit, ...]]
    """By layer, from the inputs on: every unit, the most important first."""
    links: tuple[Link, ...]
    """To the most important units: from each feature to those of the first layer, then from layer to layer between
    them. Features drive units of every layer: see ``drivers``."""
    drivers: Mapping[tuple[str, int], tuple[Link, ...]]
    """By layer and number of the most important units: what each feature contributes by way of it, the largest first;
    empty where inputs have no names."""
    gap: Mapping[str, float]
    """By layer: how far the sum of the contributions of its units is from how much the score falls if they all were 0,
    the mean over rows as a share of the mean fall. 0 where what follows is linear; above about 0.5, contributions are
    slopes rather than parts."""
    most: int

    def important(self, layer: str) -> tuple[Unit, ...]:
        """The most important units of the layer."""
        return self.units[layer][: self.most]


def node_importance(
    model: nn.Module,
    x: Any,
    target: Any,
    *,
    layers: Sequence[str] | None = None,
    most: int = 6,
    columns: Columns | None = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> NodeImportance:
    """How much each unit contributes to the score, over many rows, and what drives the most important units.

    Args:
        x: rows, (batch, …), as `explain` takes them.
        target: a class, one per row, or None as in `explain`.
        layers: names of layers; None for every activation function that is a layer of its own.
        most: the units per layer whose drivers and links are found.
        columns: which columns of a table make up which feature; without them each column is one.

    Raises:
        RecipeError: most below 1, or an unknown score.
        DataError, UnsupportedModelError: as `layer_attribution`, see `hidden_layers`.
    """
    network, most = network_of(model), whole_number("most", most, 1)
    with untouched(network, seed):
        asked: dict[str, Any] = {"columns": columns, "seed": seed, "rows_at_once": rows_at_once}
        question = checked_question(network, x, target, score=score, task=task, **asked)
        names = hidden_layers(pass_over(network, question.x[:1], question.target[:1], seed=seed), layers)
        passes = {layer: _passes(question, layer) for layer in names}
        units = {layer: _ranked(layer, *passes[layer]) for layer in names}
        gap = {layer: _gap(question, layer, passes[layer][0]) for layer in names}
        between = [
            link
            for before, after in pairwise(names)
            for link in _between(question, units[before][:most], units[after][:most])
        ]
    named = columns if columns is not None or question.x.ndim != 2 else plain_columns(question.x.shape[1])
    drivers = {
        (unit.layer, unit.number): _drivers(question, unit, passes[unit.layer][1], named)
        for layer in names
        for unit in units[layer][:most]
    }
    first = [link for unit in units[names[0]][:most] for link in drivers[unit.layer, unit.number]]
    return NodeImportance(units, (*first, *between), drivers, gap, most)


def _passes(question: Question, layer: str) -> tuple[Float[Tensor, " row unit"], Float[Tensor, " row unit"]]:
    """Each unit's contribution, and the gradient of the score; both summed over positions."""
    pairs = [
        (by_unit(activation * gradient, question.model, layer), by_unit(gradient, question.model, layer))
        for activation, gradient in layer_passes_of(question, layer=layer)
    ]
    contribution, gradient = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))
    return contribution, gradient


def _ranked(layer: str, contribution: Float[Tensor, " row unit"], _: Tensor) -> tuple[Unit, ...]:
    size, mean = contribution.abs().mean(dim=0), contribution.mean(dim=0)
    total = float(size.sum()) or 1.0
    units = [
        Unit(layer, number, one, other, one / total)
        for number, (one, other) in enumerate(zip(size.tolist(), mean.tolist(), strict=True))
    ]
    return tuple(sorted(units, key=lambda unit: -unit.size))


def _gap(question: Question, layer: str, contribution: Float[Tensor, " row unit"]) -> float:
    """NaN where the score does not change if all units are 0."""
    parts = torch.arange(len(question.x), device=question.x.device).split(question.rows_at_once)
    with torch.no_grad():
        score = torch.cat([score_at(question.about(some), question.x[some]) for some in parts])
    fall = (score - score_without(question, layer)).double()
    return float((contribution.sum(dim=1) - fall).abs().mean() / fall.abs().mean())


def _between(question: Question, sources: Sequence[Unit], units: Sequence[Unit]) -> list[Link]:
    """What each of the sources contributes by way of each unit of a later layer."""
    before, after = sources[0].layer, units[0].layer
    places = [source.number for source in sources]
    found: list[list[Tensor]] = [[] for _ in units]
    size = question.rows_at_once
    for rows, chosen in zip(question.x.split(size), question.target.split(size), strict=True):
        forward = pass_over(question.model, rows, chosen, seed=question.seed)
        start, end = forward.activation(before), forward.activation(after)
        scores = score_named(question.score, forward)(forward.outputs, chosen).sum()
        contribution = by_unit(end * forward.gradient(scores, end, create_graph=False), question.model, after)
        for unit, parts in zip(units, found, strict=True):
            slope = forward.gradient(contribution[:, unit.number].sum(), start, create_graph=False)
            parts.append(by_unit((start * slope).detach(), question.model, before)[:, places].double())
    return [
        Link(source, unit, *_size_and_mean(torch.cat(parts)[:, place]))
        for unit, parts in zip(units, found, strict=True)
        for place, source in enumerate(sources)
    ]


def _drivers(
    question: Question, unit: Unit, gradient: Float[Tensor, " row unit"], columns: Columns | None
) -> tuple[Link, ...]:
    """What each feature contributes by way of the unit, the largest first."""
    if columns is None:
        return ()
    rows = question.x[:MOST_ROWS]
    settings: dict[str, Any] = {"columns": columns, "seed": question.seed, "score": "target_output"}
    found = explain(LayerOutput(question.model, unit.layer), rows, unit.number, **settings).double()
    by_feature = by_group(found, feature_index(columns), num_groups=len(columns.features))
    contribution = by_feature * gradient[: len(rows), unit.number, None]
    links = [
        Link(name, unit, *_size_and_mean(values))
        for name, values in zip(columns.features, contribution.unbind(dim=1), strict=True)
    ]
    return tuple(sorted(links, key=lambda link: -link.size))


def _size_and_mean(contribution: Float[Tensor, " row"]) -> tuple[float, float]:
    return float(contribution.abs().mean()), float(contribution.mean())
