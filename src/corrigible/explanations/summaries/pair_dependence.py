"""Friedman 2001, Greedy function approximation, section 8.2: partial dependence on two features together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.data.original_units import Units, units_in
from corrigible.errors import DataError
from corrigible.explanations.inputs import checked_rows
from corrigible.explanations.question import Target, answers, answers_to, asked_of
from corrigible.explanations.summaries.grid import Grid, grid_of, named_columns_of
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


@dataclass(frozen=True, eq=False)
class PairDependence:
    """The mean score over the values of two features."""

    first: Grid
    second: Grid
    mean: Float[Tensor, " first second"]

    @property
    def interaction(self) -> Float[Tensor, " first second"]:
        """The mean score without the main effect of each feature; 0 if the two features only add up.

        Its rows and columns sum to 0 when each point is weighted by its share of the data.
        """
        down, across = self.first.share.to(self.mean), self.second.share.to(self.mean)
        down, across = down / down.sum(), across / across.sum()
        of_first, of_second = self.mean @ across, down @ self.mean
        return self.mean - of_first[:, None] - of_second + down @ of_first


def pair_dependence(
    model: Callable[[Tensor], Any],
    x: Any,
    features: tuple[str | int, str | int],
    *,
    target: Target | None = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    points: int = 10,
    columns: Columns | None = None,
    units: Units | None = None,
    rows_at_once: int | None = None,
) -> PairDependence:
    """How the mean score depends on the values of two features, with all others as they are in each row.

    The model runs rows × (points² + 1) times. Arguments and errors are those of `partial_dependence`, except that the
    default target is that of the rows as they are. The two features must have no column in common.
    """
    rows = checked_rows(x, columns)
    columns = named_columns_of(rows, columns, units)
    units = units or units_in(columns)
    first, second = (grid_of(rows, feature, columns, units, points=points) for feature in features)
    if set(first.places.tolist()) & set(second.places.tolist()):
        raise DataError(f"{first.feature!r} and {second.feature!r} have columns in common; expected two features")
    down, across = len(first.points), len(second.points)
    asked = asked_of(answers(model, rows, rows_at_once=rows_at_once), target, score=score, task=task)

    def cell(number: int) -> Tensor:
        here = torch.tensor([number // across]), torch.tensor([number % across])

        def made(place: Tensor) -> Tensor:
            changed = first.put(rows[place.to(rows.device)], here[0].expand(len(place)))
            return second.put(changed, here[1].expand(len(place)))

        outputs = answers_to(model, made, len(rows), rows_at_once=rows_at_once)
        return asked.of(outputs).double().mean()

    return PairDependence(first, second, torch.stack([cell(number) for number in range(down * across)]).view(down, -1))
