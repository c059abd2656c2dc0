"""Blundell, Cornebise, Kavukcuoglu and Wierstra 2015, Weight uncertainty in neural networks, equation 1.

The mean label loss plus the Kullback-Leibler divergence over the number of training rows is minus the evidence lower
bound of all labels, over that number.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.models.bayes.converting import bayesian_layers
from corrigible.models.bayes.divergence import kl_of
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="weights", is_own=True, unit="nats per training row, times the temperature")
def kl_divergence(
    forward: Forward, batch: Batch, *, num_rows: int | None = None, temperature: float = 1.0
) -> Float[Tensor, ""]:
    """Divergence of the weights' distribution from their prior in nats, times the temperature, over the training rows.

    The divergence is the sum over all weights in closed form. With weight 1 and temperature 1 the objective is that of
    Bayes; less sharpens the distribution (a cold posterior). Give the model a distribution with
    `corrigible.models.bayes.bayesian` before training. A weight that rises over the first epochs is `warm_up`.

    Args:
        num_rows: the number of training rows; corrections and training fill it in.
        temperature: factor of the divergence, at least 0.

    Raises:
        UnsupportedModelError: no layer of the model has a distribution.
        RecipeError: ``num_rows`` is missing or below 1, or a temperature below 0.
    """
    if num_rows is None or num_rows < 1:
        raise RecipeError(f"num_rows is {num_rows}; expected the number of training rows, of which the batch is a part")
    if not 0 <= temperature < math.inf:
        raise RecipeError(f"temperature is {temperature}; expected a number of at least 0")
    return torch.stack([kl_of(layer) for _, layer in bayesian_layers(forward.model)]).sum() * (temperature / num_rows)
