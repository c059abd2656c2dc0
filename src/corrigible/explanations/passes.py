"""Forward passes for explanations: in eval mode, with random draws that depend on a row's values."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError, NoGradientError
from corrigible.explanations.scores import SCORES, plain_score, score_named
from corrigible.models.forward import Forward, Score
from corrigible.models.nonlinear import Nonlinearities
from corrigible.types import Batch, Columns


def pass_over(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    index: Int[Tensor, " batch"] | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    nonlinearities: Nonlinearities | None = None,
) -> Forward:
    """A pass over these rows; ``index`` determines their random draws, by default from the rows' values."""
    place = torch.arange(len(x), device=x.device)
    draws = (lambda: values_index(x)) if index is None else (lambda: index)
    return Forward(
        model, Batch(place, x, target, columns=columns), seed=seed, draws=draws, nonlinearities=nonlinearities
    )


def score_of(
    name: str | Score,
    outputs: Float[Tensor, " batch output"],
    target: Int[Tensor, " batch *contrast"],
    *,
    model: nn.Module,
    index: Callable[[], Int[Tensor, " batch"]],
    seed: int = 0,
) -> Float[Tensor, " batch"]:
    """The score of outputs that a model gave outside of a pass.

    Args:
        index: determines the draws of the rows; called only if the score is random.

    Raises:
        RecipeError: no score has that name.
    """
    if not isinstance(name, str) or name in SCORES:
        return plain_score(name)(outputs, target)
    # Used only for its random draws, whatever its rows; held here because the score does not keep it alive.
    forward = pass_over(model, outputs, target, index=index(), seed=seed)
    return score_named(name, forward)(outputs, target)


def values_index(x: Float[Tensor, " batch *input"]) -> Int[Tensor, " batch"]:
    """A checksum of each row's values, so that a row gets the same draws at any position.

    Multilinear hashing (Carter and Wegman 1979) of the values as 32-bit floats.
    """
    bits = x.detach().float().flatten(1).contiguous().view(torch.int32).long()
    return (bits * _multipliers(bits.shape[1]).to(bits.device)).sum(dim=1) & (2**63 - 1)


@lru_cache(maxsize=8)
def _multipliers(num_inputs: int) -> Int[Tensor, " input"]:
    """Fixed odd numbers of 63 bits."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(2**62, size=num_inputs) * 2 + 1)


def require_finite(attribution: Float[Tensor, " batch *input"], method: str) -> None:
    """Raises DataError naming the first row whose attribution is NaN or infinite, if there is one."""
    if bool(attribution.detach().sum().isfinite()):  # Much faster than looking at every number; a sum may overflow.
        return
    bad = (~attribution.detach().isfinite().flatten(1)).any(dim=1).nonzero().flatten()
    if len(bad):
        raise DataError(
            f"the attribution of row {int(bad[0])} by {method!r} is NaN or infinite ({len(bad)} such rows): "
            "look at what the model gives for it"
        )


def require_gradient(model: nn.Module, attribution: Tensor, method: str) -> None:
    """Raises NoGradientError if the attribution does not depend on any trainable parameter."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    reached: tuple[Tensor | None, ...] = ()
    if parameters and attribution.requires_grad:
        reached = torch.autograd.grad(attribution.sum(), parameters, retain_graph=True, allow_unused=True)
    if all(gradient is None for gradient in reached):
        raise NoGradientError(
            f"the result of {method!r} reaches none of the model's {len(parameters)} trainable parameters: "
            "as a loss it would teach nothing; unfreeze parameters, or look for detach() and no_grad() in the model"
        )
