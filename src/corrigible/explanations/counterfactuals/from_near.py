"""Where no step by step search reaches the answer: begin at a near row of data that has it."""

import numpy as np
from jaxtyping import Bool, Float

from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.searching import Found
from corrigible.explanations.counterfactuals.space import Places


def from_near_rows(
    asking: Asking,
    rows: Places,
    free: Bool[np.ndarray, " some feature"],
    near: Float[np.ndarray, " some near feature"],
) -> Found:
    """Changes that take over what a near row of data holds, wherever that may be changed, and fulfil the wish."""
    number = near.shape[1]
    row = np.repeat(rows, number)
    values = near.reshape(-1, near.shape[2])
    before = asking.space.before[row]
    taken = np.repeat(free, number, axis=0) & ~np.isnan(values) & ~np.isnan(before)
    for place, levels in asking.space.levels.items():
        taken[:, place] &= levels[row, np.nan_to_num(values[:, place]).astype(np.int64)]
    changed = asking.space.clipped(np.where(taken, values, before), row)
    moved = np.flatnonzero(asking.space.differs(changed, row).any(axis=1))
    fine = moved[asking.fulfils(changed[moved], row[moved])]
    return Found(row[fine], changed[fine])
