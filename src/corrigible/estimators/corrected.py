"""A corrected network from what people said about the rows that an estimator was fitted on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import FeedbackError
from corrigible.estimators.balance import balance
from corrigible.feedback.checks import as_list
from corrigible.models.networks import copied
from corrigible.protocols.corrections.correction import correct
from corrigible.types import Feedback


class FittedRows(NamedTuple):
    """The rows that an estimator was fitted on."""

    data: TensorData
    places: NDArray[np.int64]
    """Their positions among the rows that were given; rows of weight 0 are not among them."""


def corrected_network(network: nn.Module, rows: FittedRows, feedback: Any, **settings: Any) -> nn.Module:
    """A corrected copy of the network, whose predictions sum to the labels again where they did before.

    Args:
        feedback: about the rows that were given.
        settings: of `corrigible.correct`.

    Raises:
        FeedbackError: feedback about a row that was not learned from.
    """
    uncorrected = copied(network)
    uncorrected.__dict__.pop("verdict", None)  # All that was said before is said again.
    corrected = correct(uncorrected, rows.data, _moved(as_list(feedback), rows.places), **settings)
    balance(corrected, rows.data)
    return corrected


def _moved(feedback: Sequence[Feedback], places: NDArray[np.int64]) -> list[Feedback]:
    """The feedback with rows counted among those that were learned from."""
    return [said if getattr(said, "row", None) is None else _moved_one(said, places) for said in feedback]


def _moved_one(said: Feedback, places: NDArray[np.int64]) -> Feedback:
    found = np.flatnonzero(places == said.row)
    if not len(found):
        raise FeedbackError(f"feedback is about row {said.row}, which was not learned from; expected one with a weight")
    return replace(said, row=int(found[0]))
