"""Wicker et al. 2024, robustly right for the right reasons (R4): the gradient on the inputs that must not matter should
be small not only at the row but everywhere around it.

The largest gradient is searched for at random points (Rand-R4) or at points that ascend towards it (Adv-R4).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import ends_of_inputs
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch


def bounded_gradient(
    forward: Forward,
    batch: Batch,
    *,
    search: Literal["adversarial", "sampled"] = "adversarial",
    radius: float = 0.1,
    samples: int = 1,
    score: str = "random_projection",
    input_range: Tensor | None = None,
) -> Float[Tensor, ""]:
    """Mean squared input gradient on the marked inputs, at the point near each row where it is largest.

    The points are the row itself and ``samples`` others whose marked inputs lie at most ``radius`` away. They are fixed
    while the parameters' gradient is taken; each costs as much as ``right_reasons``. The result is a lower bound of the
    true maximum.

    Args:
        search: "adversarial" for steps along the sign of the gradient of the penalty, "sampled" for uniform draws.
        radius: the largest change of a marked input, as a share of its range.
        samples: points beside the row: steps of radius / samples, or draws.
        input_range: the least and the largest value of each input, (2, *input); None for those in the batch.

    Raises:
        RecipeError: a radius that is not above 0, or fewer than 1 sample.
        DataError: a range of other inputs.
    """
    assert batch.irrelevant is not None
    if not 0 < radius < float("inf") or samples < 1:
        raise RecipeError(f"radius is {radius} and samples {samples}; expected a number above 0 and at least 1")
    low, high = ends_of_inputs(input_range, forward.x.detach())
    reach = radius * (high - low) * batch.irrelevant.to(forward.x)
    passes = [forward]
    sizes = [_sizes(forward, batch, score)]
    moves = _ascending(passes, sizes, reach / samples) if search == "adversarial" else _drawn(forward, reach)
    for _, x in zip(range(samples), moves, strict=False):
        passes.append(Forward(forward.model, replace(batch, x=x), seed=forward.seed).unobserved())
        sizes.append(_sizes(passes[-1], batch, score))
    return torch.stack(sizes).amax(dim=0).sum() / batch.irrelevant.sum().clamp_min(1)


def _sizes(forward: Forward, batch: Batch, score: str) -> Float[Tensor, " batch"]:
    """Each row's squared gradient, summed over its marked inputs."""
    assert batch.irrelevant is not None
    gradient = forward.input_gradient(score_named(score, forward), forward.target)
    return (gradient.square() * batch.irrelevant).flatten(1).sum(dim=1)


def _ascending(passes: list[Forward], sizes: list[Tensor], reach: Tensor) -> Iterator[Tensor]:
    """Points one after the other, each a step up the gradient at the previous point."""
    while True:
        last = passes[-1]
        direction = last.gradient(sizes[-1].sum(), last.x, create_graph=False).sign()
        yield (last.x + reach * direction).detach()


def _drawn(forward: Forward, reach: Tensor) -> Iterator[Tensor]:
    number = 0
    while True:
        uniform = forward.uniform(f"bounded_gradient/{number}", *reach.shape[1:])
        yield forward.x.detach() + reach * (2 * uniform - 1)
        number += 1
