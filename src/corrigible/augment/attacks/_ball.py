"""The inputs that an attack may choose from: those within epsilon of a row, and in the range."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.models.draws import row_normal, row_uniform

Norm = Literal["linf", "l2"]
Sizes = float | Tensor
"""One number, or one for each input."""


@dataclass(frozen=True)
class Ball:
    """For each row the inputs within epsilon of it that lie between ``least`` and ``most``."""

    x: Float[Tensor, " batch *input"]
    epsilon: Float[Tensor, " *input_or_none"]
    norm: Norm
    least: Float[Tensor, " batch *input"]
    most: Float[Tensor, " batch *input"]

    def of(self, rows: Tensor) -> "Ball":
        """The same for some of the rows."""
        return replace(self, x=self.x[rows], least=self.least[rows], most=self.most[rows])

    def nearest(self, moved: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch *input"]:
        """A point of the ball for each of these; of ``linf`` the nearest.

        Of ``l2`` the move is shortened and then clamped, which shortens it further.
        """
        if self.norm == "l2":
            move = moved - self.x
            moved = self.x + move * (self.epsilon / _length(move).clamp_min(_tiny(move))).clamp_max(1)
        return moved.clamp(self.least, self.most)

    def direction(self, gradient: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch *input"]:
        """The move of size epsilon along which a linear score rises most; 0 where the gradient is 0."""
        if self.norm == "linf":
            return gradient.sign() * self.epsilon
        largest = gradient.abs().flatten(1).amax(dim=1).reshape(-1, *[1] * (gradient.ndim - 1))
        scaled = gradient / largest.clamp_min(_tiny(gradient))  # So that no square is rounded to 0.
        return scaled / _length(scaled).clamp_min(_tiny(gradient)) * self.epsilon

    def drawn(self, index: Int[Tensor, " batch"], *, seed: int, name: str) -> Float[Tensor, " batch *input"]:
        """A point for each row, uniform in the ball without its range, then clamped."""
        shape = tuple(self.x.shape[1:])
        if self.norm == "linf":
            move = 2 * row_uniform(index, shape, seed=seed, name=name).to(self.x) - 1
        else:
            move = row_normal(index, shape, seed=seed, name=name)
            share = row_uniform(index, (1,) * len(shape), seed=seed, name=f"{name}/radius")
            move = (move / _length(move) * share ** (1 / max(move[0].numel(), 1))).to(self.x)
        return (self.x + self.epsilon * move).clamp(self.least, self.most)


def ball_of(x: Float[Tensor, " batch *input"], *, epsilon: Sizes, norm: str, low: Sizes, high: Sizes) -> Ball:
    """The ball around each row; a value outside of the range may stay where it is.

    Raises:
        RecipeError: an epsilon that is below 0 or no number, an unknown norm, a low that is not below high, or one
            epsilon for each input with the norm ``l2``.
    """
    size, low, high = (torch.as_tensor(each, dtype=x.dtype, device=x.device) for each in (epsilon, low, high))
    if not bool((size >= 0).all()) or not bool((low < high).all()):
        found = f"epsilon {_shown(size)}, low {_shown(low)}, high {_shown(high)}"
        raise RecipeError(f"{found}; expected an epsilon of at least 0, and low below high")
    if norm not in ("linf", "l2"):
        raise RecipeError(f"norm is {norm!r}; expected 'linf' or 'l2'")
    if norm == "l2" and size.ndim:
        raise RecipeError(
            "norm is 'l2', and epsilon has a number for each input; expected a single one, or norm 'linf'"
        )
    least, most = (x - size).maximum(low).minimum(x), (x + size).minimum(high).maximum(x)
    return Ball(x, size, "l2" if norm == "l2" else "linf", least, most)


def _length(move: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch *ones"]:
    lengths: Tensor = move.flatten(1).norm(dim=1)
    return lengths.reshape(-1, *[1] * (move.ndim - 1))


def _tiny(x: Tensor) -> float:
    return float(torch.finfo(x.dtype).tiny)


def _shown(size: Tensor) -> str:
    return f"{float(size):g}" if not size.ndim else f"from {float(size.min()):g} to {float(size.max()):g}"
