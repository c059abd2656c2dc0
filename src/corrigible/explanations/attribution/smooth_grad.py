"""Smilkov, Thorat, Kim, Viégas and Wattenberg 2017, SmoothGrad: removing noise by adding noise, section 3."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.attribution._path_gradients import Points, sum_over_points
from corrigible.explanations.counts import require_count
from corrigible.explanations.question import Question
from corrigible.models.centring import centred
from corrigible.models.forward import Score
from corrigible.models.modes import untouched
from corrigible.types import Columns


def smooth_grad(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    samples: int = 50,
    noise: float = 0.15,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """Mean gradient of the score over copies of the input with normal noise: change of the score per unit of input.

    All rows share the draws, scaled to each row's range. Noise and gradient are both centred over the columns of a
    category, because valid rows never change all of these columns together.

    Args:
        samples: noisy copies of each row, at least 1. At most ``rows_at_once`` of them are in memory at once, unless
            the result is differentiable.
        noise: standard deviation of the noise as a share of the row's range, largest minus smallest value; at least 0.

    Raises:
        RecipeError: fewer than 1 sample, or a negative noise.
    """
    require_count("samples", samples)
    if not 0 <= noise < float("inf"):
        raise RecipeError(f"noise is {noise}; expected a number of at least 0")

    def noisy(rows: Tensor, index: Tensor) -> Points:
        low, high = rows.flatten(1).aminmax(dim=1)
        spread = (noise * (high - low)).reshape(-1, *[1] * (x.ndim - 1))

        def at(which: slice) -> tuple[Tensor, None]:
            draws = torch.stack([_draw(seed, sample, rows) for sample in range(which.start, which.stop)])
            return torch.addcmul(rows, centred(draws, columns)[:, None], spread), None

        return Points(at, 1 / samples)

    question = Question(model, x, target, score, seed, rows_at_once, differentiable)
    with untouched(model, seed):
        return centred(sum_over_points(question, noisy, samples), columns)


def _draw(seed: int, sample: int, rows: Float[Tensor, " batch *input"]) -> Float[Tensor, " *input"]:
    """Standard normal noise for one row; each sample has its own generator, so no noise has to be stored."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + sample) % 2**63)
    return torch.randn(rows.shape[1:], generator=generator).to(rows)
