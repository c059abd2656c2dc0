"""Intervals of means, for whiskers and bands."""

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student


def half_width(values: Float[np.ndarray, " row *rest"]) -> Float[np.ndarray, " *rest"] | None:
    """Half of Student's 95 % interval for the mean over the rows; None for a single row."""
    if len(values) < 2:
        return None
    width: Float[np.ndarray, " *rest"] = (
        student.ppf(0.975, len(values) - 1) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    )
    return width
