"""Simonetto et al. 2024, constrained adaptive attack: effective adversarial attack against deep neural networks for
tabular data (CAPGD).

Steps along the gradient with momentum, halved at checkpoints where they bring nothing (Croce and Hein 2020, APGD); the
constraints are repaired at each step. Here the point itself stays continuous: the model answers, and gives its
gradient, at the repaired change, and the point moves on by that gradient. So steps smaller than a whole number add up.
"""

import math

import numpy as np
from jaxtyping import Float

from corrigible.augment.feasible.relaxed import Points, Relaxed
from corrigible.augment.feasible.repairing import repaired
from corrigible.augment.feasible.standing import OF_A_GRADIENT, Standing
from corrigible.explanations.counterfactuals.space import Places

MOMENTUM = 0.75
"""The share of the new step; the rest is that of the step before."""
RISES = 0.75
"""The share of steps since the last checkpoint that must bring something, or else the step is halved."""
FIRST_CHECKPOINT, LESS, LEAST = 0.22, 0.03, 0.06
"""Of the steps: until the first checkpoint, by how much each stretch is shorter than the one before, and the least."""
FIRST_STEPS = (0.5, 2.0)
"""In units of epsilon, one start after the other: CAPGD begins with 2, which on some tables passes by what falls."""


def follow(standing: Standing, *, starts: int, most: int, rng: np.random.Generator) -> None:
    """Attack by the gradient: once from the row itself, then from random changes, with at most ``most`` calls a row."""
    steps = max(1, most // (OF_A_GRADIENT * starts))
    relaxed = Relaxed(standing.space)
    for start in range(starts):
        rows = standing.open(OF_A_GRADIENT, most)
        if len(rows):
            begin = np.zeros((len(rows), len(standing.space.schema.columns.names)))
            points = relaxed.drawn(rows, standing.epsilon, rng) if start else begin
            size = FIRST_STEPS[start % len(FIRST_STEPS)] * standing.epsilon
            _from(standing, relaxed, rows, points, size=size, num_steps=steps, most=most)


def checkpoints(num_steps: int) -> list[int]:
    """The steps after which the step size is looked at."""
    found, share, stretch = [], 0.0, FIRST_CHECKPOINT
    while share + stretch <= 1:
        share += stretch
        stretch = max(stretch - LESS, LEAST)
        found.append(math.ceil(round(share * num_steps, 9)))  # 0.57 · 100 is 57.
    return found


def _from(
    standing: Standing, relaxed: Relaxed, rows: Places, points: Points, *, size: float, num_steps: int, most: int
) -> None:
    """All steps from one start; rows whose answer has changed are left out as soon as that is seen."""
    looks, last_look = set(checkpoints(num_steps)), 0
    before, best_points = points.copy(), points.copy()
    step = np.full(len(rows), size)
    best, rises = np.full(len(rows), -np.inf), np.zeros(len(rows))
    best_at_look, halved = best.copy(), np.ones(len(rows), dtype=bool)
    last = best.copy()
    for number in range(num_steps):
        margin, gradient = _asked(standing, relaxed, points, rows)
        rises += margin > last
        better = margin > best
        best[better], best_points[better], last = margin[better], points[better], margin
        if number in looks:
            few = rises < RISES * (number - last_look)
            halve = few | (~halved & (best <= best_at_look))
            step = np.where(halve, step / 2, step)
            points, before = (np.where(halve[:, None], best_points, held) for held in (points, before))
            rises, last_look, best_at_look, halved = np.zeros(len(rows)), number, best.copy(), halve
        ahead = relaxed.within(points + step[:, None] * gradient, rows, standing.epsilon)
        pushed = points + MOMENTUM * (ahead - points) + (1 - MOMENTUM) * (points - before) if number else ahead
        before, points = points, relaxed.within(pushed, rows, standing.epsilon)
        on = np.isin(rows, standing.open(OF_A_GRADIENT, most))
        if not on.all():
            rows, points, before, best_points = rows[on], points[on], before[on], best_points[on]
            step, best, last, rises = step[on], best[on], last[on], rises[on]
            best_at_look, halved = best_at_look[on], halved[on]
        if not len(rows):
            return


def _asked(
    standing: Standing, relaxed: Relaxed, points: Points, rows: Places
) -> tuple[Float[np.ndarray, " some"], Points]:
    """The answer at the repaired change of each point, and the gradient there."""
    changed, gone = relaxed.changes(points, rows)
    allowed = repaired(standing.space, changed, rows, first=gone, most=standing.epsilon)
    margin, slopes = standing.follow(allowed, rows)
    return margin, relaxed.gradient(slopes, rows)
