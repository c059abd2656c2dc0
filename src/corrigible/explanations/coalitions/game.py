"""The value of coalitions: the score of a row when only some of its groups are present.

One matrix of coalitions serves all rows, and every method that looks at coalitions is linear in their values. A method
is therefore a `Plan`: which coalitions to look at, and how their values are weighted into results. Values are weighted
as they come, a bounded number of changed rows at a time; they are never all kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.explanations.baselines import Baseline
from corrigible.explanations.coalitions.absence import Absence, Absent, absence_of, distances
from corrigible.explanations.groups import Groups, groups_of
from corrigible.explanations.passes import pass_over, untouched, values_index
from corrigible.explanations.scores import score_named
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
    """The group of each input, for all rows or for each."""
    absence: Absence
    score: str
    seed: int
    differentiable: bool
    rows_at_once: int

    @cached_property
    def num_groups(self) -> int:
        return int(self.labels.max()) + 1

    @cached_property
    def index(self) -> Int[Tensor, " batch"]:
        return values_index(self.x)

    def scores(
        self, inputs: Float[Tensor, " row other *input"], rows: Int[Tensor, " row"]
    ) -> Float[Tensor, " row other"]:
        """The scores of several changed versions of each of these rows."""
        row = rows.repeat_interleave(inputs.shape[1])
        flat = inputs.flatten(0, 1)
        forward = pass_over(self.model, flat, self.target[row], index=self.index[row], seed=self.seed)
        # The model runs without the pass's hooks and input graph: nothing here needs them.
        return score_named(self.score, forward)(class_logits(self.model(flat)), self.target[row]).view(len(rows), -1)


def game_of(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    groups: Groups,
    columns: Columns | None,
    baseline: Baseline,
    background: Float[Tensor, " row *input"] | None,
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
    labels = groups_of(x, groups, columns)
    absence = absence_of(x, labels, baseline=baseline, background=background, absent=absent, seed=seed)
    return Game(model, x, target, labels, absence, score, seed, differentiable, rows_at_once)


def played(game: Game, plan: Plan) -> Float[Tensor, " batch result"]:
    """The weighted sums of the coalitions' values, for every row."""
    present, weights = plan.present.to(game.x.device), plan.weights.to(game.x)
    total = game.x.new_zeros(len(game.x), weights.shape[1])
    with untouched(game.model, game.seed), torch.set_grad_enabled(game.differentiable):
        for rows, some in _blocks(game, len(present)):
            values = _values(game, rows, present[some])
            total = total.index_add(0, rows, values @ weights[some])
    return total


def _blocks(game: Game, num_coalitions: int) -> Iterator[tuple[Int[Tensor, " row"], slice]]:
    """Some rows with some coalitions at a time: as many coalitions as the bound allows, then rows."""
    draws = game.absence.num_neighbours if game.absence.is_conditional else len(game.absence.rows)
    bound = max(game.rows_at_once // draws, 1)
    num_some = min(num_coalitions, bound)
    every = torch.arange(len(game.x), device=game.x.device)
    for start in range(0, num_coalitions, num_some):
        for rows in every.split(bound // num_some):
            yield rows, slice(start, start + num_some)


def _values(game: Game, rows: Int[Tensor, " row"], present: Tensor) -> Float[Tensor, " row coalition"]:
    labels = game.labels if len(game.labels) == 1 else game.labels[rows]
    # (coalition, one_or_row, *input) -> (one_or_row, coalition, *input)
    mask = present[:, labels].transpose(0, 1)
    x = game.x[rows].unsqueeze(1)
    if game.absence.is_conditional:
        return _conditional(game, rows, present, mask)
    if len(game.absence.rows) == 1:
        return game.scores(torch.where(mask, x, game.absence.rows), rows)
    return _mean_over_draws(game, rows, mask)


def _mean_over_draws(game: Game, rows: Tensor, mask: Tensor) -> Tensor:
    """The mean score over all rows that can fill in, a bounded number of them at a time."""
    total = game.x.new_zeros(len(rows), mask.shape[1])
    x = game.x[rows].unsqueeze(1).unsqueeze(1)
    for filling in game.absence.rows.split(max(game.rows_at_once // total.numel(), 1)):
        inputs = torch.where(mask.unsqueeze(2), x, filling)
        total = total + game.scores(inputs.flatten(1, 2), rows).view(*total.shape, -1).sum(dim=2)
    return total / len(game.absence.rows)


def _conditional(game: Game, rows: Tensor, present: Tensor, mask: Tensor) -> Tensor:
    """The mean score over the nearest rows; over all rows where nothing is present to be near to."""
    others, num_neighbours = game.absence.rows, game.absence.num_neighbours
    membership = torch.nn.functional.one_hot(game.labels.flatten(), game.num_groups).to(game.x)
    apart = distances(game.x[rows], others, membership)
    nearest = torch.einsum("rdg,cg->rcd", apart, present.to(apart)).topk(num_neighbours, largest=False).indices
    x = game.x[rows].unsqueeze(1)
    total = game.x.new_zeros(len(rows), len(present))
    for draw in range(num_neighbours):
        total = total + game.scores(torch.where(mask, x, others[nearest[:, :, draw]]), rows)
    values = total / num_neighbours
    is_empty = ~present.any(dim=1)
    if not bool(is_empty.any()):
        return values
    nothing = torch.zeros_like(mask[:, :1])
    return torch.where(is_empty, _mean_over_draws(game, rows, nothing), values)
