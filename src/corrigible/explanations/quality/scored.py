"""Rows, and the score of points made from them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.callables import as_model
from corrigible.explanations.inputs import checked_question
from corrigible.explanations.passes import score_of, values_index
from corrigible.models.forward import class_logits
from corrigible.models.modes import untouched
from corrigible.models.pooling import QuickPooling
from corrigible.types import Columns


@dataclass(frozen=True)
class Scored:
    """Checked rows where the model is, and what is asked about them."""

    model: nn.Module
    x: Float[Tensor, " batch *input"]
    target: Int[Tensor, " batch *contrast"]
    index: Int[Tensor, " batch"]
    score: str
    seed: int
    rows_at_once: int

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While inside, the model is in eval mode and keeps no gradients; afterwards it is as it was found."""
        with untouched(self.model, self.seed), torch.no_grad(), QuickPooling():
            yield

    def scores(self, points: Float[Tensor, " row point *input"], which: slice) -> Float[Tensor, " row point"]:
        """The scores of points made from these rows, inside `looking`; on the CPU in float64.

        A point that equals the one before it, as where inputs already are what replaces them, is not run again.
        """
        is_new = torch.ones(points.shape[:2], dtype=torch.bool, device=points.device)
        is_new[:, 1:] = (points[:, 1:] != points[:, :-1]).flatten(2).any(dim=2)
        row, point = is_new.nonzero(as_tuple=True)
        x = points.flatten(0, 1) if len(row) == is_new.numel() else points[row, point]
        if x.untyped_storage().data_ptr() == self.x.untyped_storage().data_ptr():
            x = x.clone()  # A model that works in place would overwrite the rows.
        found = self._scores(x, self.target[which][row], self.index[which][row]).cpu().double()
        return found[is_new.flatten().cumsum(dim=0).sub(1).cpu()].view(points.shape[:2])

    def _scores(self, x: Tensor, target: Tensor, index: Tensor) -> Tensor:
        logits = class_logits(self.model(x))
        return score_of(self.score, logits, target, model=self.model, index=lambda: index, seed=self.seed)

    def blocks(self, num_points: int) -> Iterator[tuple[slice, slice]]:
        """Rows and points of each row, (rows, points), as many together as the row budget lets in."""
        some_points = min(num_points, self.rows_at_once)
        some_rows = self.rows_at_once // some_points
        for row in range(0, len(self.x), some_rows):
            for point in range(0, num_points, some_points):
                yield slice(row, row + some_rows), slice(point, point + some_points)


def scored_of(
    model: Callable[[Tensor], Any],
    x: Any,
    target: Any,
    *,
    score: str = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Scored:
    """The model, rows and target as `explain` takes them; also pairs of classes, (batch, 2), to set against each other.

    Raises:
        RecipeError: rows_at_once below 1.
        DataError, UnsupportedModelError: see `explain`.
    """
    network = as_model(model)
    with untouched(network, seed):
        rows, chosen, size = checked_question(network, x, target, rows_at_once=rows_at_once, columns=columns)
    return Scored(network, rows, chosen, values_index(rows), score, seed, size)
