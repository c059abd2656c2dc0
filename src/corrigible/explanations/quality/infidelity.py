"""Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations, definition 2.1."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.counts import require_count
from corrigible.explanations.groups import Groups, groups_of
from corrigible.explanations.quality._given import flat_of, require_same_shape_of
from corrigible.explanations.quality._scoring import blocks, scores
from corrigible.explanations.question import Question, question_of
from corrigible.models.centring import centred
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

Perturbation = Literal["noise", "square", "groups"]


def infidelity(
    model: Any,
    x: Any,
    target: Any,
    attribution: Float[Tensor, " batch ..."],
    *,
    perturbation: Perturbation | Bool[Tensor, " sample ..."] = "noise",
    samples: int = 50,
    sd: float = 0.1,
    patch: int = 4,
    baseline: Baseline = None,
    groups: Groups = None,
    scaled: bool = False,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch"]:
    """Mean squared difference between Iᵀ·attribution and score(x) − score(x − I) over perturbations I; 0 is best.

    All rows share the same draws.

    Args:
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        attribution: in the shape of x, in units of the score per unit of input, like a gradient. Divide attributions in
            units of the score, such as integrated gradients, by x − baseline first.
        perturbation: ``noise``: I ~ N(0, sd²) in every input, minus its mean over the columns of each category;
            ``square``: the baseline replaces a square at a random place, in all channels; ``groups``: the baseline
            replaces each group, one at a time; or masks, each of which broadcasts to one row and is True where the
            baseline replaces inputs; empty masks are ignored.
        samples: how many perturbations are drawn; not used for groups and masks.
        patch: height and width of the square in pixels.
        baseline: None for zeros (1/k in a category's k columns); a number, or a tensor that broadcasts to one row.
        groups: see `corrigible.explanations.groups`; None for the features that ``columns`` names, or every input on
            its own.
        score, task: as in `explain`; None for the task's own score.
        scaled: first multiply each row's attribution by its best factor, so that only proportions count.
        columns: which columns of a table make up which feature.

    Raises:
        RecipeError: fewer than 1 sample, a square that is larger than the image, an unknown perturbation or score.
        DataError: x, target, groups, masks, columns or a baseline that do not fit; an attribution of another shape, NaN
            or infinite.
        UnsupportedModelError: a square on rows that are not images.
    """
    question = question_of(
        model, x, target, score=score, task=task, columns=columns, seed=seed, rows_at_once=rows_at_once
    )
    require_same_shape_of(attribution, question.x.shape, "x")
    slopes = flat_of(attribution)
    is_noise = isinstance(perturbation, str) and perturbation == "noise"
    away = torch.ones_like(question.x) if is_noise else question.x - baseline_row(baseline, question.x, columns)
    draws = _draws(question, perturbation, samples=samples, sd=sd, patch=patch, groups=groups, columns=columns)
    products, drops = _measured(question, slopes, away, draws)
    if scaled:
        products = products * _best_factor(products, drops)
    return (products - drops).square().nanmean(dim=1)


def _measured(question: Question, slopes: Tensor, away: Tensor, draws: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """Iᵀ·attribution and the drop of the score, (batch, sample); NaN where a row does not have the perturbation."""
    products, after = [], []
    weighted = slopes * away.cpu().double().flatten(1)
    with question.looking():
        whole = torch.cat([scores(question, question.x[some, None], some) for some, _ in blocks(question, 1)])
        for draw in draws:
            flat = draw.cpu().double().flatten(2)
            product = torch.einsum("osn,bn->bs" if len(draw) == 1 else "bsn,bn->bs", flat, weighted)
            # Only a group that the row does not have gives an empty mask.
            products.append(product.where(flat.any(dim=2), torch.nan))
            after_draw = torch.empty_like(product)
            for some, points in blocks(question, draw.shape[1]):
                factor = draw[:, points] if len(draw) == 1 else draw[some, points]
                changed = torch.addcmul(question.x[some, None], factor, away[some, None], value=-1)
                after_draw[some, points] = scores(question, changed, some)
            after.append(after_draw)
    return torch.cat(products, dim=1), whole - torch.cat(after, dim=1)


def _best_factor(products: Tensor, drops: Tensor) -> Tensor:
    """The least-squares factor over the samples; 1 where all products are 0, since no factor changes anything."""
    squares = products.square().nansum(dim=1, keepdim=True)
    return torch.where(squares > 0, (products * drops).nansum(dim=1, keepdim=True) / squares, 1.0)


def _draws(
    question: Question,
    perturbation: str | Tensor,
    *,
    samples: int,
    sd: float,
    patch: int,
    groups: Groups,
    columns: Columns | None,
) -> Iterator[Tensor]:
    """Factors of x − baseline, (1 or batch, sample, *input), a bounded number of samples at a time."""
    require_count("samples", samples)
    if not sd > 0:
        raise RecipeError(f"sd is {sd}; expected a number above 0")
    at_once = question.rows_at_once
    if isinstance(perturbation, Tensor):
        return _masks(question.x, perturbation, at_once)
    if perturbation == "groups":
        return _each_group(question.x, groups, columns, at_once)
    generator = torch.Generator().manual_seed(question.seed)
    if perturbation == "noise":
        return (centred(drawn, columns) for drawn in _noise(question.x, samples, sd, at_once, generator))
    if perturbation == "square":
        return _squares(question.x, samples, patch, at_once, generator)
    raise RecipeError(f"perturbation is {perturbation!r}; expected 'noise', 'square' or 'groups'")


def _noise(x: Tensor, samples: int, sd: float, at_once: int, generator: torch.Generator) -> Iterator[Tensor]:
    # One draw per sample, so that results do not depend on how many are computed at once.
    for some in torch.arange(samples).split(at_once):
        drawn = torch.stack([torch.randn(x.shape[1:], generator=generator) for _ in some])
        yield sd * drawn[None].to(x)


def _squares(x: Tensor, samples: int, patch: int, at_once: int, generator: torch.Generator) -> Iterator[Tensor]:
    if x.ndim < 3:
        raise UnsupportedModelError(f"x has shape {tuple(x.shape)}; squares need images: choose 'noise' or 'groups'")
    if not 1 <= patch <= min(x.shape[-2:]):
        raise RecipeError(f"patch is {patch}; expected 1 to {min(x.shape[-2:])}, the shorter side of the image")
    top, left = (torch.randint(size - patch + 1, (samples, 1), generator=generator) for size in x.shape[-2:])
    for some in torch.arange(samples).split(at_once):
        down, across = (
            (first[some] <= position) & (position < first[some] + patch)
            for first, position in ((top, torch.arange(x.shape[-2])), (left, torch.arange(x.shape[-1])))
        )
        square = (down[:, :, None] & across[:, None, :]).reshape(1, len(some), *[1] * (x.ndim - 3), *x.shape[-2:])
        yield square.expand(-1, -1, *x.shape[1:]).to(x)


def _masks(x: Tensor, masks: Tensor, at_once: int) -> Iterator[Tensor]:
    if masks.dtype != torch.bool:
        raise DataError(f"masks hold {masks.dtype} values; expected booleans, True where inputs give way")
    try:
        each = masks.reshape(len(masks), *[1] * (x.ndim - masks.ndim), *masks.shape[1:])
        shaped = each.expand(-1, *x.shape[1:])
    except RuntimeError as error:
        found, expected = tuple(masks.shape), ("sample", *x.shape[1:])
        raise DataError(f"masks have shape {found}; expected one that broadcasts to {expected}") from error
    for some in shaped.split(at_once):
        yield some[None].to(x)


def _each_group(x: Tensor, groups: Groups, columns: Columns | None, at_once: int) -> Iterator[Tensor]:
    labels = groups_of(x, groups, columns)
    every = torch.arange(int(labels.max()) + 1, device=x.device)
    for some in every.split(max(1, at_once // len(labels))):
        yield (labels[:, None] == some.reshape(-1, *[1] * (x.ndim - 1))).to(x)
