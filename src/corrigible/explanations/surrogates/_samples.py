"""The three sets of synthetic points that a surrogate needs, with the model's output."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.row_order import in_order_of_values
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counts import require_count
from corrigible.explanations.features import plain_columns
from corrigible.explanations.inputs import checked_rows
from corrigible.explanations.question import Asked, Target, answers, asked_of
from corrigible.explanations.reading import meaning_of
from corrigible.explanations.surrogates._synthetic import SyntheticPoints, points_of, space_of
from corrigible.explanations.surrogates.fidelity import effective_number_of
from corrigible.models.forward import Score
from corrigible.outputs import class_logits
from corrigible.printable import plural
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

FEWEST_ROWS = 8
FEWEST_EFFECTIVE = 30
"""Least effective number of points around a row, in each of the three sets."""
SHARES = (0.5, 0.25, 0.25)
"""Shares of the rows and of the points: for fitting, for deciding when to stop, and held out."""


@dataclass(frozen=True)
class Answered:
    """Synthetic points and the model's outputs for them."""

    x: NDArray[np.float64]
    weight: NDArray[np.float64]
    """The weight of each point; the weights sum to 1."""
    outputs: Float[Tensor, " point output"]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class that a classifier predicts."""
        return class_logits(self.outputs).argmax(dim=1).numpy()


@dataclass(frozen=True)
class Samples:
    """Points for fitting, for deciding when to stop, and for the fidelity; made from disjoint rows of the data."""

    growing: Answered
    stopping: Answered
    held_out: Answered
    columns: Columns
    around: Answered | None
    """The row that the points lie around, if there is one."""

    def asked(
        self, target: Target | None, *, score: str | Score | None, task: TaskChoice | None, of_classes: str
    ) -> Asked:
        """The score and target that are asked for; by default of the class predicted for the row, if there is one.

        Raises:
            RecipeError, DataError: see `asked_of`.
        """
        looked_at = self.growing.outputs if self.around is None else self.around.outputs
        if target is None and self.around is not None:
            target = int(meaning_of(task, looked_at, score, of_classes=of_classes).target(looked_at)[0])
        return asked_of(looked_at, target, score=score, task=task, of_classes=of_classes)


def samples_of(
    model: Callable[[Tensor], Any],
    x: Any,
    *,
    around: Any,
    columns: Columns | None,
    samples: int,
    width: float,
    seed: int,
    rows_at_once: int | None,
) -> Samples:
    """Points made from the rows, in three parts, with the model's output.

    Raises:
        DataError: x or the row to explain does not fit, fewer than 8 rows, or too few points count around the row.
        RecipeError: too few samples, or a width that is not above 0.
    """
    require_count("samples", samples, least=4 * FEWEST_ROWS)
    if not width > 0:
        raise RecipeError(f"width is {width}; expected a number above 0")
    rows, center, columns = _checked(x, around, columns)
    values = rows.cpu().double().numpy()
    space, rng = space_of(values, columns), np.random.default_rng(seed)
    order = in_order_of_values(rows).cpu().numpy()[rng.permutation(len(rows))]
    cuts = np.cumsum(np.array(SHARES) * len(rows)).astype(int)[:-1]

    def answered(points: NDArray[np.float64], weight: NDArray[np.float64]) -> Answered:
        given = torch.from_numpy(points).to(rows)
        outputs = answers(model, given, rows_at_once=rows_at_once, seed=seed).cpu().double()
        return Answered(given.cpu().double().numpy(), weight, outputs)

    made = [
        points_of(values[part], round(samples * share), space, around=center, width=width, rng=rng)
        for part, share in zip(np.split(order, cuts), SHARES, strict=True)
    ]
    if center is not None:
        _check_enough_count(made)
    growing, stopping, held_out = (answered(points.x, points.weight) for points in made)
    return Samples(growing, stopping, held_out, columns, None if center is None else answered(center[None], np.ones(1)))


def _check_enough_count(made: Sequence[SyntheticPoints]) -> None:
    """Raises DataError if too few points count: far from the data, any surrogate follows the few copies of the row."""
    fewest = min(effective_number_of(points.weight) for points in made)
    others = max(effective_number_of(points.weight) * points.weight[~points.is_copy].sum() for points in made)
    if fewest < FEWEST_EFFECTIVE:
        found, expected = f"only {fewest:.0f} points in effect lie", f"at least {FEWEST_EFFECTIVE}"
    elif others < 1:
        found, expected = "nothing but copies of it lies", "points with values of other rows"
    else:
        return
    raise DataError(
        f"{found} near to the row around which to explain; expected {expected}: "
        "give a row nearer to the data, a larger width or more samples"
    )


def _checked(x: Any, around: Any, columns: Columns | None) -> tuple[Tensor, NDArray[np.float64] | None, Columns]:
    rows = checked_rows(x, columns)
    if rows.ndim != 2:
        raise DataError(f"x has shape {tuple(rows.shape)}; expected (row, column): surrogates are for tables")
    if len(rows) < FEWEST_ROWS:
        raise DataError(
            f"x has {plural(len(rows), 'row')}; expected at least {FEWEST_ROWS}, to fit and judge on different ones"
        )
    columns = plain_columns(rows.shape[1]) if columns is None else columns
    if around is None:
        return rows, None, columns
    center = torch.as_tensor(around).detach().cpu().double()
    if center.shape != rows.shape[1:] or not bool(center.isfinite().all()):
        raise DataError(f"around has shape {tuple(center.shape)}; expected {tuple(rows.shape[1:])}, all finite")
    return rows, center.numpy(), columns
