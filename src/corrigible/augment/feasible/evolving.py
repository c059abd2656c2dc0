"""Search without a gradient: changes of each row are mixed and altered at random, and the worst for the model stay.

An evolutionary search for each row, as MOEVA is (Simonetto et al. 2022, a unified framework for adversarial attack and
defense in constrained feature space), with every change repaired before the model is asked.
"""

import numpy as np
from jaxtyping import Float, Int

from corrigible.augment.feasible.repairing import repaired
from corrigible.augment.feasible.standing import Standing
from corrigible.explanations.counterfactuals.space import Places, Values

KEPT, ASKED = 6, 10
"""How many changes of each row are kept, and how many new ones are asked about at once."""
CROSSED = 0.4
"""The share of new changes that have two parents."""
TO_THE_END = 0.4
"""The share of altered numbers that go as far as the cost allows."""


def evolve(standing: Standing, *, most: int, rng: np.random.Generator) -> None:
    """Search on from the worst change of each row so far, until its answer changes or ``most`` calls are spent."""
    rows = standing.open(1, most)
    kept = np.repeat(standing.worst[rows, None], KEPT, axis=1)
    margins = np.full((len(rows), KEPT), -np.inf)
    margins[:, 0] = standing.margin[rows]
    while len(rows):
        num = int(min(ASKED, (min(most, standing.budget) - standing.calls[rows]).min()))
        every = np.repeat(rows, num)
        young = _young(standing, kept, rows, num, rng)
        found = standing.ask(young, every).reshape(len(rows), num)
        kept = np.concatenate([kept, young.reshape(len(rows), num, -1)], axis=1)
        margins = np.concatenate([margins, found], axis=1)
        order = np.argsort(-margins, axis=1, kind="stable")[:, :KEPT]
        kept, margins = np.take_along_axis(kept, order[:, :, None], axis=1), np.take_along_axis(margins, order, axis=1)
        on = np.isin(rows, standing.open(1, most))
        rows, kept, margins = rows[on], kept[on], margins[on]


def _young(
    standing: Standing,
    kept: Float[np.ndarray, " row kept feature"],
    rows: Int[np.ndarray, " row"],
    num: int,
    rng: np.random.Generator,
) -> Values:
    """New changes of each row, repaired: each from one or two of those kept, the better ones more often."""
    space, num_rows = standing.space, len(rows)
    every = np.repeat(np.arange(num_rows), num)
    first, second = (np.minimum(rng.integers(0, KEPT, len(every)), rng.integers(0, KEPT, len(every))) for _ in range(2))
    parent, other = kept[every, first], kept[every, second]
    crossed = (rng.random(parent.shape) < 0.5) & (rng.random((len(every), 1)) < CROSSED)
    found = np.where(crossed, other, parent)
    altered = _altered(standing, found, rows[every], rng)
    # What was altered comes first where the cost is spent, and the rest in a random order.
    first_of = rng.random(found.shape) + (altered != found)
    return repaired(space, altered, rows[every], first=first_of, most=standing.epsilon)


def _altered(standing: Standing, changed: Values, rows: Places, rng: np.random.Generator) -> Values:
    """The changes with one to three features set anew: other levels, and numbers anywhere or a little further."""
    space, found = standing.space, changed.copy()
    free = space.can_change[rows]
    some = rng.random(free.shape) * free
    wanted = np.minimum(rng.integers(1, 4, len(rows)), free.sum(axis=1))
    chosen = np.argsort(np.argsort(-some, axis=1), axis=1) < wanted[:, None]
    for place, feature in enumerate(space.schema.features):
        at = np.flatnonzero(chosen[:, place])
        if feature.is_category:
            ways = space.levels[place][rows[at]]
            found[at, place] = (rng.random(ways.shape) * ways).argmax(axis=1)
        elif len(at):
            found[at, place] = _number(standing, changed[at, place], rows[at], place, rng)
    return np.where(rng.random(found.shape) < np.where(chosen, 0.0, 0.1), space.before[rows], found)


def _number(
    standing: Standing, held: Float[np.ndarray, " some"], rows: Places, place: int, rng: np.random.Generator
) -> Float[np.ndarray, " some"]:
    """To an end of what is allowed, or a step of random size from the value so far."""
    space = standing.space
    reach = standing.epsilon * space.schema.features[place].mad
    before = space.before[rows, place]
    low, high = np.maximum(space.low[rows, place], before - reach), np.minimum(space.high[rows, place], before + reach)
    end = np.where(rng.random(len(rows)) < 0.5, low, high)
    step = rng.normal(size=len(rows)) * reach * 10.0 ** -(2 * rng.random(len(rows)))
    return np.asarray(np.where(rng.random(len(rows)) < TO_THE_END, end, np.clip(held + step, low, high)))
