"""The single changes that are tried next, by what the gradient promises for their cost."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from corrigible.explanations.counterfactuals.space import Places, Space, Values

FURTHER = 1.3
"""How much further than the gradient says that it is enough: outputs bend."""
LEAST_COST = 0.05
"""A change counts as at least so large, so that the smallest do not come first whatever they bring."""


class Candidates(NamedTuple):
    """Changes, each one step from where a search stands."""

    search: Int[np.ndarray, " candidate"]
    feature: Int[np.ndarray, " candidate"]
    changed: Float[np.ndarray, " candidate feature"]


def candidates(
    space: Space,
    changed: Values,
    rows: Places,
    margins: Float[np.ndarray, " search"],
    slopes: Float[np.ndarray, " search column"],
    *,
    free: Bool[np.ndarray, " search feature"],
    near: Float[np.ndarray, " search near feature"],
    most: int,
) -> Candidates:
    """At most so many changes of each search.

    Each sets one feature to another value: of a number where the gradient says that the answer is reached, of a
    category the two levels that bring most, and of each what near rows with the wanted answer hold.

    Args:
        margins, slopes: see `Asking.slopes`, at these changes.
        free: the features that may be changed.
    """
    values, gains = _moves(space, changed, rows, margins, slopes)
    num_near = near.shape[1]
    both = np.concatenate([values, near.transpose(0, 2, 1)], axis=2)
    flat = both.reshape(len(changed), -1)
    feature = np.repeat(np.arange(changed.shape[1]), values.shape[2] + num_near)
    brings = np.concatenate([gains, _gains_at(space, changed, slopes, near)], axis=2).reshape(len(changed), -1)
    now = changed[:, feature]
    usable = free[:, feature] & ~np.isnan(flat) & (flat != now) & ~np.isnan(now)
    need = np.maximum(-margins, 0.0)[:, None]
    price = _prices(space, flat, feature, rows) - _prices(space, now, feature, rows)
    score = np.minimum(np.maximum(brings, 1e-9), need) / np.maximum(price, LEAST_COST)
    score = np.where(usable, score, -1.0)
    best = np.argsort(-score, axis=1, kind="stable")[:, :most]
    search = np.repeat(np.arange(len(changed)), best.shape[1])
    column = best.reshape(-1)
    kept = score[search, column] > 0
    search, column = search[kept], column[kept]
    found = changed[search].copy()
    found[np.arange(len(search)), feature[column]] = flat[search, column]
    found = space.clipped(found, rows[search])
    moved = (found != changed[search]) & ~np.isnan(found)
    return Candidates(search[moved.any(axis=1)], feature[column][moved.any(axis=1)], found[moved.any(axis=1)])


def _moves(
    space: Space, changed: Values, rows: Places, margins: np.ndarray, slopes: np.ndarray
) -> tuple[Float[np.ndarray, " search feature 2"], Float[np.ndarray, " search feature 2"]]:
    """Two values for each feature that the gradient proposes, and by how much it says the margin grows; else NaN."""
    values, gains = np.full((*changed.shape, 2), np.nan), np.zeros((*changed.shape, 2))
    need = np.maximum(-margins, 1e-6)
    for place, feature in enumerate(space.schema.features):
        if feature.is_category:
            held = np.nan_to_num(changed[:, place]).astype(np.int64)
            brings = (
                slopes[:, list(feature.places)] - slopes[np.arange(len(held)), np.array(feature.places)[held]][:, None]
            )
            brings = np.where(space.levels[place][rows], brings, -np.inf)
            brings[np.arange(len(held)), held] = -np.inf
            order = np.argsort(-brings, axis=1)[:, :2]
            for number in range(order.shape[1]):
                gain = brings[np.arange(len(held)), order[:, number]]
                values[:, place, number] = np.where(np.isfinite(gain), order[:, number], np.nan)
                gains[:, place, number] = np.where(np.isfinite(gain), gain, 0.0)
        elif feature.places:
            slope = _slope(space, slopes, place)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = np.clip(FURTHER * need / slope, -1e9 * feature.mad, 1e9 * feature.mad)
            step = np.where(slope == 0, np.nan, step)
            low, high = space.low[rows, place], space.high[rows, place]
            for number, share in enumerate((1.0, 0.3)):
                values[:, place, number] = np.clip(changed[:, place] + share * step, low, high)
                gains[:, place, number] = slope * (values[:, place, number] - changed[:, place])
    return values, gains


def _gains_at(space: Space, changed: Values, slopes: np.ndarray, near: np.ndarray) -> np.ndarray:
    """By how much the gradient says the margin grows where a feature is as in a near row."""
    found = np.zeros((*changed.shape, near.shape[1]))
    for place, feature in enumerate(space.schema.features):
        if feature.is_category:
            columns = np.array(feature.places)
            there = columns[np.nan_to_num(near[:, :, place]).astype(np.int64)]
            here = columns[np.nan_to_num(changed[:, place]).astype(np.int64)]
            at = np.arange(len(changed))
            found[:, place] = slopes[at[:, None], there] - slopes[at, here][:, None]
        elif feature.places:
            found[:, place] = _slope(space, slopes, place)[:, None] * (near[:, :, place] - changed[:, place, None])
    return np.nan_to_num(found)


def _slope(space: Space, slopes: np.ndarray, place: int) -> np.ndarray:
    """Of a number in its own unit."""
    (column,) = space.schema.features[place].places
    scale = space.schema.columns.scale[column] if space.schema.columns.scale else 1.0
    return np.asarray(slopes[:, column] / scale)


def _prices(space: Space, values: np.ndarray, feature: np.ndarray, rows: Places) -> np.ndarray:
    """The cost of each feature by itself at these values, (search, candidate)."""
    found = np.zeros(values.shape)
    for place in range(space.before.shape[1]):
        at = np.flatnonzero(feature == place)
        held = space.before[rows, place][:, None]
        found[:, at] = space.price(place, values[:, at], held)
    return found
