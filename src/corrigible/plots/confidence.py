"""What plots of confidence share: how sure a model was of each row, and whether it was right."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.errors import DataError
from corrigible.plots.features import numbers_in
from corrigible.printable import plural

Certain = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Each row's confidence, and 1 where the prediction was right, else 0."""
Z = 1.959964
"""Of a 95 % interval."""
ROUNDING = 0.02
"""How far from 1 the probabilities of a row may sum in half precision."""


def confidences_of(models: Any) -> dict[str, Certain]:
    """Each model's confidence and hits, from (probabilities, labels) or (confidence, whether right).

    Raises:
        DataError: no models, rows that do not fit, or numbers that are no probabilities or labels.
    """
    if not isinstance(models, Mapping) or not models:
        found = "no models" if not models else f"models is a {type(models).__name__}"
        raise DataError(f"{found}; expected at least one name with its rows, {{name: (probs, y)}}")
    return {str(name): _certain(str(name), given) for name, given in models.items()}


def share_intervals(hits: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower and upper ends of 95 % intervals of shares, (2, …): Wilson 1927, probable inference."""
    share = hits / counts
    centre = (share + Z**2 / (2 * counts)) / (1 + Z**2 / counts)
    half = Z / (1 + Z**2 / counts) * np.sqrt(share * (1 - share) / counts + Z**2 / (4 * counts**2))
    return np.stack([np.minimum(share, centre - half), np.maximum(share, centre + half)])


def _certain(name: str, given: Any) -> Certain:
    if not isinstance(given, tuple) or len(given) != 2:
        raise DataError(f"{name} has a {type(given).__name__}; expected (probs, y), or (confidence, is_right)")
    first, second = (
        numbers_in(given[place], f"{what} of {name}").double() for place, what in enumerate(("probs", "y"))
    )
    if first.ndim not in (1, 2) or second.shape != first.shape[:1] or not len(first):
        found = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise DataError(f"{name} has shapes {found}; expected probs (row, class) and y (row), with at least one row")
    if not bool(((first >= 0) & (first <= 1 + 1e-6)).all()):
        raise DataError(f"probs of {name} are not all from 0 to 1; expected probabilities, such as logits.softmax(1)")
    if first.ndim == 2:
        _require_classes(name, first, second)
        confidence, predicted = first.max(dim=1)
        return confidence.clamp_max(1).numpy(), (predicted == second).double().numpy()
    if not bool(((second == 0) | (second == 1)).all()):
        raise DataError(f"y of {name} beside one confidence per row must say whether it was right: expected 0 and 1")
    return first.clamp_max(1).numpy(), second.numpy()


def _require_classes(name: str, probs: Float[Tensor, " row num_classes"], y: Float[Tensor, " row"]) -> None:
    """Raises DataError unless the probabilities of each row sum to 1, and each label is one of at least two classes."""
    num_classes, sums = probs.shape[1], probs.sum(dim=1)
    if num_classes < 2:
        raise DataError(
            f"probs of {name} have {plural(num_classes, 'column')}; expected one for each of at least two classes, or "
            "(confidence, is_right) with one number per row"
        )
    if bool(((sums - 1).abs() > ROUNDING).any()):
        row = int((sums - 1).abs().argmax())
        raise DataError(f"probs of {name} sum to {sums[row]:.3g} in row {row}; expected 1, such as logits.softmax(1)")
    bad = (~((y >= 0) & (y < num_classes) & (y == y.round()))).nonzero().flatten()
    if len(bad):
        raise DataError(
            f"y of {name} is {y[bad[0]]:g} in row {int(bad[0])}; expected a class, a whole number from 0 to "
            f"{num_classes - 1}"
        )
