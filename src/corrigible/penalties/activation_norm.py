"""Penalise the size of hidden units' activations; by its L1 norm it leaves few units active at a time (Glorot, Bordes
and Bengio 2011, Deep sparse rectifier neural networks, section 4.1).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.models.forward import Forward
from corrigible.models.hidden_units import hidden_layers
from corrigible.models.norms import Norm, mean_norm
from corrigible.types import Batch


@declared(rows="labelled", looks_at="layers")
def activation_norm(
    forward: Forward, batch: Batch, *, layers: Sequence[str] | None = None, norm: Norm = "l1"
) -> Float[Tensor, ""]:
    """Mean over layers and rows of the units' mean absolute activation, mean square, or largest absolute activation.

    Args:
        layers: names of layers; None for all activation functions that are layers of their own.
        norm: "l1", "l2" (squared) or "linf".

    Raises:
        UnsupportedModelError: no such layer ran, or the next one overwrites its output in place.
    """
    sizes = [mean_norm(forward.activation(layer), norm) for layer in hidden_layers(forward, layers)]
    return torch.stack(sizes).mean()
