"""What came of one row: the cheapest change, or which constraints are in the way of any."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.allowed import Allowed
from corrigible.explanations.counterfactuals.constraints import Constraint
from corrigible.explanations.counterfactuals.obstacles import obstacles
from corrigible.explanations.counterfactuals.trees_found import NOTHING
from corrigible.explanations.counterfactuals.trees_row import Row, any_change, cheapest_change
from corrigible.explanations.counterfactuals.trees_wishes import Wanted
from corrigible.figures import number


@dataclass(frozen=True)
class Outcome:
    """The status of a row, and its change if there is one."""

    status: str
    changed: NDArray[np.float64] | None = None
    cost: float = float("nan")
    bound: float = float("nan")
    is_proven: bool = False
    reason: str = ""
    in_the_way: tuple[Constraint, ...] = ()


def outcome_of(row: Row, wanted: Sequence[Wanted], *, method: str, seconds: float) -> Outcome:
    """The cheapest change of a row that gives one of the answers, not yet verified, or why there is none."""
    until = time.monotonic() + seconds
    best, bound = NOTHING, np.inf
    for one in wanted:
        found = cheapest_change(row, one, method=method, limit=best.cost, until=until)
        if found.chosen is not None:
            best = found
        bound = min(bound, found.bound)
    best = replace(best, bound=min(bound, best.cost))
    if best.chosen is not None:
        least = max(best.bound, 0.0)
        late = f"the search stopped after {number(seconds)} s: a change might cost as little as {number(least)}"
        return Outcome("found", row.changed(best), best.cost, least, best.is_proven, "" if best.is_proven else late)
    if not best.is_proven:
        reason = (
            f"the search stopped after {number(seconds)} s; whether there is a change is not known: allow more time"
        )
        return Outcome("not found", bound=max(best.bound, 0.0), reason=reason)
    in_the_way, reason = _obstacles(row, wanted, seconds)
    return Outcome("impossible", bound=np.inf, is_proven=True, reason=reason, in_the_way=in_the_way)


def _obstacles(row: Row, wanted: Sequence[Wanted], seconds: float) -> tuple[tuple[Constraint, ...], str]:
    """The constraints in the way, and the reason in words."""
    until = time.monotonic() + seconds

    def possible(left: Sequence[Constraint]) -> bool | None:
        return any_change(Row(row.subject, row.x, row.values, Allowed(tuple(left))), wanted, until=until)

    found = obstacles(row.allowed.constraints, possible)
    if not found.is_settled:
        return (), "no allowed change gives the wanted prediction; which constraint is in the way was not found in time"
    if not found.constraints:
        return (), "the model gives the wanted prediction for no row that this one can become"
    return found.constraints, f"no allowed change gives the wanted prediction; in the way: {found}"


def refused(outcome: Outcome, what: str) -> Outcome:
    """The same without its change, which the model or a constraint did not confirm."""
    return Outcome("not found", bound=outcome.bound, reason=f"{what}: numbers are too near to a threshold to tell")
