"""Dombrowski, Alber, Anders, Ackermann, Müller and Kessel 2019, Explanations can be manipulated and geometry is to
blame. Without a wanted map: Ghorbani, Abid and Zou 2019, Interpretation of neural networks is fragile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from corrigible.errors import DataError, NoGradientError, RecipeError
from corrigible.explanations.explaining import EXPLAINERS, Method, attribution_of, explainer_of
from corrigible.explanations.quality.agreement import rank_correlation, top_agreement
from corrigible.explanations.question import question_of
from corrigible.explanations.trust.perturbing import Allowed, Norm
from corrigible.explanations.trust.searching import Searching
from corrigible.explanations.trust.similarity import mean_over_rows, squared_difference
from corrigible.methods import name_of, settings_of, with_settings
from corrigible.models.modes import untouched
from corrigible.outputs import class_logits
from corrigible.tasks import CLASSES
from corrigible.types import Measurement

Aim = Callable[[Tensor], Tensor]
"""Attribution sizes -> one number per row, which the search minimises."""

SOFTEST, SHARPEST = 10.0, 100.0
"""Sharpness of the smooth ReLUs at the first and at the last step."""
TOP_SHARE = 0.1
PREDICTION_WEIGHT = 0.3
"""Weight of the squared excess over half of the tolerance, in tolerances; the aim itself lies between 0 and 1."""


@dataclass(frozen=True)
class Similarity:
    """How similar two explanations of each row are, by the sizes of their attributions.

    NaN where they cannot be compared: see `corrigible.explanations.quality.agreement`.
    """

    rank_correlation: Float[Tensor, " batch"]
    top_agreement: Float[Tensor, " batch"]
    """The share of the tenth of the inputs with the largest attributions that is the same in both."""
    squared_difference: Float[Tensor, " batch"]


@dataclass(frozen=True)
class Attacked:
    """The result of an attack; everything is measured on the unchanged model."""

    x: Float[Tensor, " batch *input"]
    """The changed rows; a row for which nothing worse was found is unchanged."""
    original: Float[Tensor, " batch *input"]
    """The attribution of the original rows."""
    attribution: Float[Tensor, " batch *input"]
    """The attribution of the changed rows, for the same class."""
    to_original: Similarity
    """Similarity of the changed rows' attribution to that of the original rows."""
    to_wanted_before: Similarity | None
    """Similarity to the wanted map, before and after; None if none was given."""
    to_wanted: Similarity | None
    logit_change: Float[Tensor, " batch"]
    """Root mean square change of the logits, divided by their standard deviation over classes."""
    prob_change: Float[Tensor, " batch"]
    """Largest change of any class's probability."""
    is_same_class: Bool[Tensor, " batch"]


def attack_explanation(
    model: nn.Module,
    x: Any,
    target: Any = None,
    *,
    wanted: Float[Tensor, " batch *input"] | None = None,
    method: Method = "input_gradient",
    budget: float = 8 / 255,
    norm: Norm = "linf",
    data_range: tuple[float, float] | None = None,
    logit_tolerance: float = 0.1,
    num_steps: int = 100,
    seed: int = 0,
    **settings: Any,
) -> Attacked:
    """Search for rows that look almost the same and are predicted almost the same, but get another explanation.

    The search follows projected gradients through the explanation itself, with the model's ReLUs smoothed. Among all
    rows it visits that keep the class and the logits of the unchanged model, it returns the one with the worst
    explanation. It finds only what gradients lead to, so the result is a lower bound of the possible harm. All rows are
    searched together and need memory; pass some hundreds at a time.

    Args:
        model: a classifier; a single output is the logit of class 1.
        target: the class to explain: one for all rows or one per row; None for the predicted class, or for the logit
            of class 1 itself; pairs of classes, (batch, 2), for why the first rather than the second.
        wanted: the map that the sizes of the attribution should take, in the shape of x, at least 0; None to draw
            attribution away from the tenth of the inputs with the largest attributions.
        method: the name of an explainer with a setting ``differentiable``, or such a function.
        budget: how far a row may move, in units of x: each input ("linf"), or in Euclidean norm ("l2").
        data_range: the smallest and the largest value an input may have; None for those in x.
        num_steps: steps of the search.
        logit_tolerance: how far the logits may move, see `Attacked.logit_change`.
        settings: settings of the method.

    Raises:
        RecipeError: an explainer that is not differentiable, an unknown setting, a number out of range.
        DataError: a wanted map that does not fit.
        NoGradientError: the explanation has no gradient with respect to the rows.
    """
    _check_numbers(budget=budget, logit_tolerance=logit_tolerance, num_steps=num_steps)
    question = question_of(model, x, target, task=CLASSES)
    rows, chosen = question.x, question.target
    allowed = Allowed(rows, budget, norm, data_range or (rows.min().item(), rows.max().item()))
    explained = partial(attribution_of, method, model, target=chosen, task=CLASSES, seed=seed, **settings)
    explainer = partial(_explainer(method, seed, settings), model, target=chosen)
    search = _Search(model, explained, explainer, allowed, logit_tolerance, seed)
    original = search.explained(x=rows)
    wanted = None if wanted is None else _checked_map(wanted, rows)
    aim = _away_from(original.abs()) if wanted is None else _towards(wanted)
    found = _worst(search, aim, original, num_steps)
    attribution = search.explained(x=found)
    before, after = _logits(model, rows), _logits(model, found)
    return Attacked(
        found,
        original,
        attribution,
        to_original=_similarity(attribution, original),
        to_wanted_before=None if wanted is None else _similarity(original, wanted),
        to_wanted=None if wanted is None else _similarity(attribution, wanted),
        logit_change=_logit_change(before, after),
        prob_change=(after.softmax(1) - before.softmax(1)).abs().amax(1),
        is_same_class=after.argmax(1) == before.argmax(1),
    )


def explanation_robustness(
    model: nn.Module,
    x: Any,
    target: Any = None,
    *,
    method: Method = "input_gradient",
    budget: float = 8 / 255,
    norm: Norm = "linf",
    data_range: tuple[float, float] | None = None,
    num_steps: int = 30,
    seed: int = 0,
    **settings: Any,
) -> Measurement:
    """Mean rank correlation of explanations before and after an attack, with a 95 % interval; 1 if nothing changes.

    An upper bound: a longer or better search may find worse. Arguments and errors are those of `attack_explanation`.
    """
    attacked = attack_explanation(
        model, x, target, method=method, budget=budget, norm=norm, data_range=data_range, num_steps=num_steps,
        seed=seed, **settings,
    )  # fmt: skip
    return mean_over_rows("explanation_robustness", attacked.to_original.rank_correlation, seed=seed)


@dataclass(frozen=True)
class _Search:
    """The fixed settings of a search."""

    model: nn.Module
    explained: Callable[..., Tensor]
    """The explanation as the caller would get it."""
    explainer: Callable[..., Tensor]
    """The explanation with a graph."""
    allowed: Allowed
    logit_tolerance: float
    seed: int

    @cached_property
    def logits(self) -> Tensor:
        return _logits(self.model, self.allowed.rows)

    def keeps_prediction(self, x: Tensor) -> Tensor:
        """True for rows whose class is the same and whose logits are within the tolerance."""
        logits = _logits(self.model, x)
        is_near = _logit_change(self.logits, logits) <= self.logit_tolerance
        return is_near & (logits.argmax(1) == self.logits.argmax(1))

    def gradient(self, x: Tensor, aim: Aim, sharpness: float) -> Tensor:
        """The gradient of the aim plus the penalty on moved logits; zeros if there is no gradient."""
        x = x.clone().requires_grad_()
        with untouched(self.model, self.seed):
            with Searching(self.model, sharpness):
                total = aim(self.explainer(x=x).abs()).sum()
            if not total.requires_grad:
                return torch.zeros_like(x)
            (found,) = torch.autograd.grad(total, x, allow_unused=True)
            moved = _logit_change(self.logits, class_logits(self.model(x.clone()))) / self.logit_tolerance
            (back,) = torch.autograd.grad((moved - 0.5).relu().square().sum(), x)
        return torch.zeros_like(x) if found is None else found + PREDICTION_WEIGHT * back


def _worst(search: _Search, aim: Aim, original: Tensor, num_steps: int) -> Tensor:
    """Among all allowed rows that the search visits, those closest to the aim."""
    x = found = search.allowed.rows
    least = aim(original.abs())
    for step in range(num_steps):
        sharpness = SOFTEST * (SHARPEST / SOFTEST) ** (step / max(num_steps - 1, 1))
        gradient = search.gradient(x, aim, sharpness)
        if step == 0 and not bool(gradient.any()):
            raise NoGradientError(
                "the explanation does not change with the rows in a way that a gradient shows (a linear model, a "
                "method that only switches, or ReLUs inside compiled code): a search would be blind and prove nothing"
            )
        x = search.allowed.stepped(x, gradient, num_steps=num_steps)
        reached = aim(search.explained(x=x).abs())
        is_better = (reached < least) & search.keeps_prediction(x)
        least = torch.where(is_better, reached, least)
        found = torch.where(is_better.reshape(-1, *[1] * (x.ndim - 1)), x, found)
    return found


def _away_from(strengths: Tensor) -> Aim:
    """An aim: the share of the attribution on the inputs that had the largest attributions."""
    count = max(1, round(TOP_SHARE * strengths[0].numel()))
    places = strengths.flatten(1).topk(count, dim=1).indices

    def share(sizes: Tensor) -> Tensor:
        flat = sizes.flatten(1)
        return flat.gather(1, places).sum(1) / flat.sum(1).clamp_min(torch.finfo(flat.dtype).tiny)

    return share


def _towards(wanted: Tensor) -> Aim:
    """An aim: 1 minus the cosine of the angle between the attribution and the wanted map."""

    def distance(sizes: Tensor) -> Tensor:
        return 1 - cosine_similarity(sizes.flatten(1), wanted.flatten(1), dim=1)

    return distance


def _explainer(method: Method, seed: int, settings: dict[str, Any]) -> Callable[..., Tensor]:
    function = explainer_of(method)
    takes = settings_of(function)
    if "differentiable" not in takes:
        able = ", ".join(name for name, known in EXPLAINERS.items() if "differentiable" in settings_of(known))
        raise RecipeError(f"explainer {name_of(method)!r} is not differentiable; expected one of {able}")
    shared = {"differentiable": True} | ({"seed": seed} if "seed" in takes else {})
    return with_settings(function, settings | shared, f"explainer {name_of(method)!r}")


def _similarity(first: Tensor, second: Tensor) -> Similarity:
    sizes = first.abs(), second.abs()
    return Similarity(rank_correlation(*sizes), top_agreement(*sizes), squared_difference(*sizes))


def _logit_change(before: Tensor, after: Tensor) -> Tensor:
    spread = before.std(dim=1, correction=0).clamp_min(torch.finfo(before.dtype).eps)
    return (after - before).square().mean(dim=1).add(torch.finfo(before.dtype).tiny).sqrt() / spread


def _checked_map(wanted: Tensor, rows: Tensor) -> Tensor:
    if wanted.shape != rows.shape:
        raise DataError(f"the wanted map has shape {tuple(wanted.shape)}; expected that of x, {tuple(rows.shape)}")
    strengths = wanted.detach().to(rows)
    if not bool(strengths.isfinite().all() & (strengths >= 0).all() & (strengths.flatten(1).sum(1) > 0).all()):
        raise DataError("the wanted map must hold finite numbers of at least 0, and in each row one above 0")
    return strengths


def _check_numbers(**found: float | int) -> None:
    for name, value in found.items():
        if not value > 0:
            raise RecipeError(f"{name} is {value}; expected a number above 0")


def _logits(model: nn.Module, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch num_classes"]:
    """The logits in eval mode, without a graph."""
    with untouched(model, 0), torch.no_grad():
        # A copy: a model may work on its input in place.
        return class_logits(model(x.clone()))
