"""Penalise the size of weights: ridge (Hoerl and Kennard 1970) and the lasso (Tibshirani 1996) for networks.

Unlike an optimizer's weight decay it can be given to some layers only, and it leaves biases and the scales of
normalisation layers alone.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.declarations import declared
from corrigible.errors import UnsupportedModelError
from corrigible.models.forward import Forward
from corrigible.models.norms import Norm, mean_norm
from corrigible.types import Batch


@declared(rows="labelled", looks_at="weights")
def weight_norm(
    forward: Forward, batch: Batch, *, layers: Sequence[str] | None = None, norm: Norm = "l2"
) -> Float[Tensor, ""]:
    """Mean absolute weight, mean squared weight, or the largest absolute weight of a matrix, averaged over matrices.

    The weights are those of matrices and convolutions: every parameter with at least two dimensions.

    Args:
        layers: names of layers, as in ``model.named_modules()``, with all that is inside them; None for all.
        norm: "l1", "l2" (squared) or "linf".

    Raises:
        UnsupportedModelError: no such layer, or no matrix of weights in it.
    """
    matrices = _matrices(forward.model, layers)
    if norm == "linf":
        return torch.stack([mean_norm(weights[None], norm) for weights in matrices]).mean()
    return mean_norm(torch.cat([weights.flatten() for weights in matrices])[None], norm)


def _matrices(model: nn.Module, layers: Sequence[str] | None) -> list[Tensor]:
    """Each matrix of weights once."""
    modules = dict(model.named_modules(remove_duplicate=False))
    for name in layers or ():
        if name not in modules:
            raise UnsupportedModelError(f"no layer {name!r}; this model has {', '.join(filter(None, modules))}")
    chosen = [model] if layers is None else [modules[name] for name in layers]
    found = {id(weights): weights for module in chosen for weights in module.parameters() if weights.ndim >= 2}
    if not found:
        raise UnsupportedModelError(
            f"there is no matrix of weights in {'the model' if layers is None else list(layers)}; expected a layer "
            "with weights, such as Linear or Conv2d"
        )
    return list(found.values())
