"""Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim 2018, Sanity checks for saliency maps, section 3.

An explanation that hardly changes when the network loses what it has learned does not explain what it has learned.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from torch import nn

from corrigible.errors import UnsupportedModelError, unknown
from corrigible.explanations.explaining import Method, attribution_of
from corrigible.explanations.question import Question, question_of
from corrigible.explanations.trust.similarity import Comparison, compared
from corrigible.models.fresh_weights import weighted_layers, with_fresh

MOST_ALIKE = 0.5
"""Rank correlation from which on two maps count as similar."""


def cascading_randomisation(
    model: nn.Module,
    x: Any,
    target: Any = None,
    *,
    method: Method = "integrated_gradients",
    layers: Sequence[str] | None = None,
    seed: int = 0,
    **settings: Any,
) -> tuple[Comparison, ...]:
    """Compare the model's explanation with those of copies with fresh weights, from the output layer downwards.

    There is one comparison per layer: the copy has fresh weights in this layer and in all layers after it, so the last
    comparison is with a fully untrained network. Both explanations are of the same class.

    Args:
        target: the class to explain: one for all rows or one per row; None as in `explain`; pairs of
            classes, (batch, 2), for why the first rather than the second.
        method: a name that `explain` takes, or any (model, x, target, *, settings) -> like x.
        layers: names of layers, from the input to the output; None for all that hold parameters.
        seed: seed of the fresh weights and of the explanations.
        settings: settings of the method.

    Raises:
        UnsupportedModelError: a layer that does not exist, or no layer with parameters.
        RecipeError, DataError: see `explain`.
    """
    question = question_of(model, x, target, score=settings.get("score"), task=settings.get("task"))
    downwards = tuple(reversed(_layers(question.model, question.x, layers)))
    sets = accumulate(((name,) for name in downwards), lambda above, below: above + below)
    return _comparisons(question, zip(downwards, sets, strict=True), method, seed, settings)


def independent_randomisation(
    model: nn.Module,
    x: Any,
    target: Any = None,
    *,
    method: Method = "integrated_gradients",
    layers: Sequence[str] | None = None,
    seed: int = 0,
    **settings: Any,
) -> tuple[Comparison, ...]:
    """Compare the model's explanation with those of copies with fresh weights in one layer, from the output down.

    Arguments and errors are those of `cascading_randomisation`; a layer gets the same fresh weights in both.
    """
    question = question_of(model, x, target, score=settings.get("score"), task=settings.get("task"))
    sets = [(name, (name,)) for name in reversed(_layers(question.model, question.x, layers))]
    return _comparisons(question, sets, method, seed, settings)


def depends_on_weights(cascade: Sequence[Comparison]) -> bool:
    """Whether the explanation depends on the network's weights: the check that an edge detector fails.

    True if the rank correlation of sizes with the last, fully untrained network is below 0.5, including its interval;
    False if it is undefined because the maps are constant.
    """
    high = cascade[-1].rank_correlation.high
    return high is not None and high < MOST_ALIKE


def _comparisons(
    question: Question, sets: Any, method: Method, seed: int, settings: dict[str, Any]
) -> tuple[Comparison, ...]:
    model, x, target = question.model, question.x, question.target
    trained = attribution_of(method, model, x, target, seed=seed, **settings)
    return tuple(
        compared(
            trained,
            attribution_of(method, with_fresh(model, fresh, seed=seed), x, target, seed=seed, **settings),
            part=name or "model",
            seed=seed,
        )
        for name, fresh in sets
    )


def _layers(model: nn.Module, x: Any, wanted: Sequence[str] | None) -> tuple[str, ...]:
    known = weighted_layers(model, x)
    if wanted is None:
        return known
    for name in wanted:
        if name not in known:
            raise UnsupportedModelError(unknown("layer", name, known))
    return tuple(wanted)
