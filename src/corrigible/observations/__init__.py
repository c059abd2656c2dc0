"""Run a model on a data set and collect the observations that metrics ask for."""

from corrigible.observations.gathering import gather
from corrigible.observations.observed import OBSERVATIONS, Observation, Observations
from corrigible.observations.reasons import left_out, missing, positive_class, require_same_rows, unmeasured

__all__ = [
    "OBSERVATIONS",
    "Observation",
    "Observations",
    "gather",
    "left_out",
    "missing",
    "positive_class",
    "require_same_rows",
    "unmeasured",
]
