"""Which constraints are in the way of a row without a result: without them the search finds one, which is verified."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from corrigible.explanations.counterfactuals.allowed import Allowed
from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.choosing import pooled
from corrigible.explanations.counterfactuals.constraints import Causal, Constraint
from corrigible.explanations.counterfactuals.effects import Effects
from corrigible.explanations.counterfactuals.obstacles import obstacles
from corrigible.explanations.counterfactuals.space import Space

MOST_ROWS = 8
"""For so many rows of a call it is looked for; a dozen searches are needed for each."""


def in_the_way(asking: Asking, row: int, near: Float[np.ndarray, " row near feature"]) -> str:
    """The constraints in words, without which a change of the row was found; empty where that is so of none."""
    rows = np.array([row])

    def possible(left: Sequence[Constraint]) -> bool:
        freed = replace(asking, space=_freed(asking.space, left), is_bounded=False)
        return len(pooled(freed, rows, freed.space.can_change[rows], near[rows], 2).row) > 0

    return str(obstacles(asking.space.allowed.constraints, possible))


def _freed(space: Space, left: Sequence[Constraint]) -> Space:
    """The same rows under these constraints alone."""
    follows = any(isinstance(one, Causal) for one in left)
    return Space(space.schema, Allowed(tuple(left)), space.effects if follows else Effects(space.schema), space.before)
