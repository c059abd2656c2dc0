"""The value of coalitions: the score of a row when only some of its groups are present.

One matrix of coalitions serves all rows, and every coalition method is linear in the coalitions' values. A method is
therefore a `Plan`: which coalitions to evaluate, and how their values are weighted into results.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.errors import DataError, RecipeError
from corrigible.explanations.baselines import Baseline
from corrigible.explanations.games.removal import Absent, Removal, removal_of
from corrigible.explanations.groups import Groups, default_segments, groups_of, numbered_anew
from corrigible.explanations.question import Question
from corrigible.outputs import as_outputs
from corrigible.printable import plural
from corrigible.types import Columns

MOST_GROUPS = 4096
MOST_PLANNED = 4096


@dataclass(frozen=True)
class Plan:
    """Which coalitions are evaluated, and the weight of each in each result.

    A method with many coalitions makes several plans of at most ``MOST_PLANNED`` coalitions; their results are added.
    """

    present: Bool[Tensor, " coalition group"]
    weights: Float[Tensor, " coalition result"]


@dataclass(frozen=True)
class Game:
    """A question, the groups of inputs, which are the players, and what stands for absent ones."""

    question: Question
    labels: Int[Tensor, " one_or_batch *input"]
    """The group of each input, for all rows or for each row; each row's groups are numbered without gaps."""
    removal: Removal

    @property
    def x(self) -> Float[Tensor, " batch *input"]:
        return self.question.x

    @cached_property
    def num_groups(self) -> int:
        """The largest number of groups of any row."""
        return int(self.labels.max()) + 1

    def scored(self, logits: Float[Tensor, " *point num_classes"], rows: slice, *, axis: int = 0) -> Tensor:
        """The score of each point, (\\*point); along ``axis`` the points belong to these rows, in order."""
        points, asked = logits.shape[:-1], self.question
        target = _spread(asked.target[rows], points, axis)
        found = asked.scored(logits.flatten(0, -2), target, lambda: _spread(asked.index[rows], points, axis))
        return found.view(points)

    def scores(self, inputs: Float[Tensor, " row *other_and_input"], rows: slice) -> Tensor:
        """The scores of several changed versions of each of these rows: (row, \\*other)."""
        points = inputs.shape[: inputs.ndim - self.x.ndim + 1]
        logits = as_outputs(self.question.model(inputs.flatten(0, len(points) - 1)))
        if len(logits) != points.numel():
            found, expected = len(logits), points.numel()
            raise DataError(
                f"the model gives {plural(found, 'row')} of scores for {plural(expected, 'row')} of x; "
                "expected one for each"
            )
        return self.scored(logits.view(*points, -1), rows)


def _spread(of_rows: Tensor, points: torch.Size, axis: int) -> Tensor:
    """The value of each row repeated for all of its points, flattened."""
    inner = of_rows.shape[1:]
    along = of_rows.view(*[1] * axis, -1, *[1] * (len(points) - axis - 1), *inner)
    return along.expand(*points, *inner).reshape(-1, *inner)


def game_of(
    question: Question,
    *,
    groups: Groups,
    columns: Columns | None,
    baseline: Baseline,
    background: Tensor | None,
    absent: Absent,
    most_single: int | None = None,
) -> Game:
    """The game for a question with these settings.

    Args:
        most_single: with more inputs than this, pictures and sequences are cut into segments unless groups are given.

    Raises:
        RecipeError: more than 4096 groups.
        DataError: see `groups_of` and `removal_of`.
    """
    x, seed = question.x, question.seed
    if groups is None and columns is None and most_single is not None:
        groups = default_segments(x, most_single)
    labels = numbered_anew(groups_of(x, groups, columns))
    num_groups = int(labels.max()) + 1
    if num_groups > MOST_GROUPS:
        raise RecipeError(
            f"{num_groups} groups; expected at most {MOST_GROUPS}: form groups, such as an image's segments"
        )
    removal = removal_of(x, labels, columns=columns, baseline=baseline, background=background, absent=absent, seed=seed)
    return Game(question, labels, removal)


def all_coalitions(num_groups: int) -> Bool[Tensor, " coalition group"]:
    """Every subset of the groups."""
    return (torch.arange(2**num_groups)[:, None] >> torch.arange(num_groups)) % 2 == 1
