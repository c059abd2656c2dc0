"""The value of coalitions: the score of a row when only some of its groups are present.

One matrix of coalitions serves all rows, and every method that looks at coalitions is linear in their values. A method
is therefore a `Plan`: which coalitions to look at, and how their values are weighted into results.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.errors import DataError
from corrigible.explanations.baselines import Baseline
from corrigible.explanations.games.absence import Absence, Absent, absence_of
from corrigible.explanations.groups import Groups, groups_of, numbered_anew
from corrigible.explanations.passes import pass_over, values_index
from corrigible.explanations.scores import SCORES, score_named
from corrigible.models.forward import class_logits
from corrigible.types import Columns


@dataclass(frozen=True)
class Plan:
    """Which coalitions are looked at, and what each result is made of."""

    present: Bool[Tensor, " coalition group"]
    weights: Float[Tensor, " coalition result"]


@dataclass(frozen=True)
class Game:
    """Rows, the score that is explained and what stands for absent groups; groups are the players."""

    model: nn.Module
    x: Float[Tensor, " batch *input"]
    target: Int[Tensor, " batch *contrast"]
    labels: Int[Tensor, " one_or_batch *input"]
    """The group of each input, for all rows or for each; every row's groups are numbered without gaps."""
    absence: Absence
    score: str
    seed: int
    differentiable: bool
    rows_at_once: int

    @cached_property
    def num_groups(self) -> int:
        """The most groups that a row has."""
        return int(self.labels.max()) + 1

    @cached_property
    def index(self) -> Int[Tensor, " batch"]:
        return values_index(self.x)

    def scored(self, logits: Float[Tensor, " *point num_classes"], rows: Int[Tensor, " *#point"]) -> Tensor:
        """The score of each point, made from the row of that number: (\\*point)."""
        row = rows.expand(logits.shape[:-1]).flatten()
        target, flat = self.target[row], logits.flatten(0, -2)
        if self.score in SCORES:
            return SCORES[self.score](flat, target).view(logits.shape[:-1])
        forward = pass_over(self.model, self.x[row], target, index=self.index[row], seed=self.seed)
        return score_named(self.score, forward)(flat, target).view(logits.shape[:-1])

    def scores(
        self, inputs: Float[Tensor, " row other *input"], rows: Int[Tensor, " row"]
    ) -> Float[Tensor, " row other"]:
        """The scores of several changed versions of each of these rows."""
        logits = class_logits(self.model(inputs.flatten(0, 1)))
        if len(logits) != inputs.shape[0] * inputs.shape[1]:
            found, expected = len(logits), inputs.shape[0] * inputs.shape[1]
            raise DataError(f"the model gives {found} rows of scores for {expected} rows of x; expected one for each")
        return self.scored(logits.view(*inputs.shape[:2], -1), rows[:, None])


def game_of(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    groups: Groups,
    columns: Columns | None,
    baseline: Baseline,
    background: Tensor | None,
    absent: Absent,
    score: str,
    seed: int,
    differentiable: bool,
    rows_at_once: int,
) -> Game:
    """The game of these settings.

    Raises:
        DataError: see `groups_of` and `absence_of`.
    """
    labels = numbered_anew(groups_of(x, groups, columns))
    absence = absence_of(x, labels, baseline=baseline, background=background, absent=absent, seed=seed)
    return Game(model, x, target, labels, absence, score, seed, differentiable, rows_at_once)


def all_coalitions(num_groups: int) -> Bool[Tensor, " coalition group"]:
    """Every subset of the groups."""
    return (torch.arange(2**num_groups)[:, None] >> torch.arange(num_groups)) % 2 == 1
