"""The results, each asked of the model once more and checked against every constraint in original units."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.in_the_way import MOST_ROWS, in_the_way
from corrigible.explanations.counterfactuals.proofs import proof
from corrigible.explanations.counterfactuals.result import Counterfactuals


def verified(
    asking: Asking,
    found: Float[np.ndarray, " row k feature"],
    already: Bool[np.ndarray, " row"],
    class_names: tuple[str, ...],
    *,
    near: Float[np.ndarray, " row near feature"] | None = None,
    why: str = "",
) -> Counterfactuals:
    """The changes that hold, with what the model gives for them; of rows without any, what is known of why.

    Args:
        near: of each row near rows of data, at which it is looked for which constraints are in the way; None for not
            looking for that.
        why: said of rows without a result where nothing is proved; empty for what a search can say.
    """
    num_rows, k, _ = found.shape
    rows, places = np.nonzero(~np.isnan(found).all(axis=2))
    holds = _holds(asking, found[rows, places], rows)
    rows, places, changed = rows[holds], places[holds], found[rows[holds], places[holds]]
    encoded, after = asking.encoded(changed, rows), asking.space.after(changed, rows)
    status = np.full((num_rows, k), "not found", dtype=object)
    status[rows, places] = "found"
    status[already] = "already"
    reasons = _reasons(asking, status, why, near)

    def filled(values: Tensor, empty: float | bool = float("nan")) -> Tensor:
        whole = torch.full((num_rows, k, *values.shape[1:]), empty, dtype=values.dtype)
        whole[rows, places] = values
        return whole

    return Counterfactuals(
        x=asking.x,
        changed=filled(encoded),
        status=tuple(map(tuple, status.tolist())),
        reason=tuple(reasons),
        outputs=filled(asking.outputs(encoded)),
        acted=filled(torch.from_numpy(asking.space.differs(changed, rows)), False),
        cost=filled(torch.from_numpy(asking.space.cost(changed, rows))),
        distance=filled(torch.from_numpy(asking.distances(changed, rows))),
        usual_distance=torch.from_numpy(asking.usual),
        before=asking.space.before,
        after=filled(torch.from_numpy(after)).numpy(),
        schema=asking.space.schema,
        task=asking.wish.task,
        class_names=class_names,
    )


def _holds(
    asking: Asking, changed: Float[np.ndarray, " some feature"], rows: Int[np.ndarray, " some"]
) -> Bool[np.ndarray, " some"]:
    """Where the model gives the wanted answer, and all constraints hold."""
    space = asking.space
    if not len(rows):
        return np.zeros(0, dtype=bool)
    frames = [space.schema.frame_of(values) for values in (space.before[rows], space.after(changed, rows), changed)]
    return np.asarray(space.allowed.satisfied(*frames) & (asking.margins(changed, rows) > 0))


def _reasons(
    asking: Asking, status: NDArray[Any], why: str, near: Float[np.ndarray, " row near feature"] | None
) -> list[str]:
    """Why rows have fewer results than asked for; where that is proved, the status of a row becomes "impossible"."""
    without = np.flatnonzero((status == "not found").all(axis=1)).tolist()
    obstacles = {} if near is None else {row: in_the_way(asking, row, near) for row in without[:MOST_ROWS]}
    return [_explained(asking, row, held, why, obstacles.get(row, "")) for row, held in enumerate(status)]


def _explained(asking: Asking, row: int, status: NDArray[Any], why: str, obstacles: str) -> str:
    if "not found" not in status:
        return ""
    if "found" in status:
        return f"no more than {int((status == 'found').sum())} with different features were found"
    if reason := proof(asking, row, obstacles):
        status[:] = "impossible"
        return reason
    known = f"; in the way: {obstacles}" if obstacles else ""
    said = f"the search, a heuristic, found no change{known}; that there is none is not proved"
    return why or f"{said}: a larger starts=… looks further"
