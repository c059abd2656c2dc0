"""Where no change was found: what can be proved of that, and which constraints are in the way."""

from itertools import product
from math import prod

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.constraints import Immutable, MaxChanges, Range

MOST_CASES = 4096
"""All changes of a row are tried if there are at most so many."""


def proof(asking: Asking, row: int, obstacles: str = "") -> str:
    """Why no change of the row can give the wanted answer, or an empty text where that is not proved.

    A change within the bounds of the data is no proof: a number counts as tried only within a range that a constraint
    gives it. Whether results are plausible does not matter here.

    Args:
        obstacles: the constraints that are known to be in the way; empty for naming all.
    """
    space, said = asking.space, f"in the way: {obstacles}" if obstacles else _constraints(asking)
    places = [int(place) for place in np.flatnonzero(_may_change(asking, row))]
    if not places:
        return f"nothing may change: {_constraints(asking)}"
    ways = {place: _ways(asking, row, place) for place in places}
    if any(way is None for way in ways.values()):
        return ""
    known = {place: way for place, way in ways.items() if way is not None}
    if prod(len(way) for way in known.values()) > MOST_CASES:
        return ""
    cases = np.array(list(product(*known.values())))
    changed = np.repeat(space.before[row][None], len(cases), axis=0)
    changed[:, list(known)] = cases
    rows = np.full(len(cases), row)
    feasible = space.feasible(changed, rows)
    if bool((asking.margins(changed[feasible], rows[feasible]) > 0).any()):
        return ""
    names = ", ".join(space.schema.features[place].name for place in places)
    return f"no allowed value of {names} gives the wanted answer: {said}"


def _may_change(asking: Asking, row: int) -> NDArray[np.bool_]:
    """Which features of the row may change, whatever values the data hold."""
    space = asking.space
    found: NDArray[np.bool_] = space.can_change[row].copy()
    for place, feature in enumerate(space.schema.features):
        if not feature.is_category and feature.places and not np.isnan(space.before[row, place]):
            found[place] = feature.name not in space.allowed.immutable
    return found


def _ways(asking: Asking, row: int, place: int) -> Float[np.ndarray, " way"] | None:
    """All values that the feature may take in this row; None where they cannot be listed."""
    space = asking.space
    feature, held = space.schema.features[place], space.before[row, place]
    if feature.is_category:
        return np.flatnonzero(space.levels[place][row]).astype(np.float64)
    if feature.name in space.allowed.orders:
        return np.unique([held, *map(float, space.allowed.orders[feature.name])])
    ranges = [one for one in space.allowed.of(Range) if one.feature == feature.name]
    low = max((one.low for one in ranges if one.low is not None), default=None)
    high = min((one.high for one in ranges if one.high is not None), default=None)
    if feature.kind != "integer" or low is None or high is None or high - low > MOST_CASES:
        return None
    return np.unique([held, *np.arange(np.ceil(low), np.floor(high) + 1)])


def _constraints(asking: Asking) -> str:
    """All constraints that bound what may change, in words."""
    some = [one for one in asking.space.allowed.constraints if not isinstance(one, Immutable | MaxChanges)]
    fixed = sorted(asking.space.allowed.immutable)
    said = [f"{', '.join(fixed)} must stay"] if fixed else []
    few = [str(one) for one in asking.space.allowed.of(MaxChanges)]
    return "; ".join([*said, *map(str, some), *few]) or "the features have no other values"
