"""Any change of rows as one that an applicant could make: within the cost, whole, and by all constraints."""

import numpy as np
from jaxtyping import Float, Int

from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.space import Places, Space, Values

SLACK = 1e-9


def repaired(
    space: Space,
    changed: Values,
    rows: Places,
    *,
    first: Float[np.ndarray, " some feature"],
    most: float,
) -> Values:
    """Changes near the given ones that obey all constraints and cost at most ``most``.

    Numbers come within their bounds and decimals. Of each row the features with the largest ``first`` are changed
    first, until the cost is spent; the last number goes as far as is left. What breaks a constraint all the same is
    taken back: first the features that it is about, else the whole row.
    """
    before = space.before[rows]
    found = np.where(space.can_change[rows] & ~np.isnan(changed), changed, before)
    found = space.clipped(found, rows)
    found = _within(space, found, rows, first, most)
    if space.allowed.of(Relation):
        found = space.clipped(found, rows)
    return _as_allowed(space, found, rows, most)


def _within(space: Space, changed: Values, rows: Places, first: np.ndarray, most: float) -> Values:
    """The changes of each row in the order of ``first`` until the cost, or the number of them, is spent."""
    before, found = space.before[rows], space.before[rows].copy()
    costs = space.costs(changed, rows)
    left, num_left = np.full(len(rows), most), np.full(len(rows), space.allowed.most_changes or changed.shape[1])
    order, every = np.argsort(-np.where(costs > 0, first, -np.inf), axis=1, kind="stable"), np.arange(len(rows))
    for place in order.T:
        cost, value, held = (of[every, place] for of in (costs, changed, before))
        value = np.where(cost > left + SLACK, _as_far_as(space, value, held, place, left), value)
        moves = (cost > 0) & (num_left > 0) & (value != held)
        found[every, place] = np.where(moves, value, held)
        left -= np.where(moves, np.minimum(cost, left), 0.0)
        num_left -= moves
    return np.asarray(found)


def _as_far_as(
    space: Space, value: np.ndarray, held: np.ndarray, place: Int[np.ndarray, " some"], left: np.ndarray
) -> Float[np.ndarray, " some"]:
    """Numbers as far on their way as the cost allows; what has no way between, such as a category, as it was."""
    features = space.schema.features
    has_way = np.array([not f.is_category and f.name not in space.allowed.orders for f in features])[place]
    grid = 10.0 ** -np.array([f.decimals for f in features])[place]
    reach = np.array([f.mad for f in features])[place] * np.maximum(left, 0.0)
    sign, steps = np.sign(value - held), np.floor(reach / grid + SLACK)
    decimals = np.array([f.decimals for f in features])[place]
    found = np.where(has_way, held + sign * steps * grid, held)
    for some in np.unique(decimals):  # A whole number stays one, and 0.1 is as near to it as can be.
        at = has_way & (decimals == some) & (steps > 0)
        found[at] = np.round(found[at], some)
    return np.asarray(
        np.where(np.abs(found - held) > reach + SLACK, held + sign * np.maximum(steps - 1, 0) * grid, found)
    )


def _as_allowed(space: Space, changed: Values, rows: Places, most: float) -> Values:
    found, before = changed, space.before[rows]
    about = {space.schema.place(name) for one in space.allowed.of(Relation) for name in one.features}
    for places in (sorted(about), list(range(changed.shape[1]))):
        wrong = ~(space.feasible(found, rows) & (space.cost(found, rows) <= most + SLACK))
        back = wrong[:, None] & np.isin(np.arange(found.shape[1]), places)
        found = np.where(back, before, found)
    return np.asarray(found)
