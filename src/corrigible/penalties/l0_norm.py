"""Louizos, Welling and Kingma 2018, Learning sparse neural networks through L0 regularization, equation 12, where each
gate counts alike.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.models.forward import Forward
from corrigible.models.gates import gates_in
from corrigible.types import Batch


@declared(rows="labelled", looks_at="weights")
def l0_norm(forward: Forward, batch: Batch) -> Float[Tensor, ""]:
    """The expected share of the model's gates that are open, from 0 to 1.

    Give the model gates with `corrigible.models.with_gates` before training.

    Raises:
        UnsupportedModelError: the model has no gates.
    """
    return torch.cat([gated.open_probs() for _, gated in gates_in(forward.model)]).mean()
