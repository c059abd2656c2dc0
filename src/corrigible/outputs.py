"""Check a model's output and bring it into the shape (batch, output)."""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import UnsupportedModelError


def described(output: object) -> str:
    """The shape of a tensor, or the type of anything else."""
    return f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"


def as_outputs(output: object) -> Float[Tensor, " batch output"]:
    """The output of a model with one column per number; one number per row becomes one column.

    Raises:
        UnsupportedModelError: neither (batch,) nor (batch, output).
    """
    if isinstance(output, Tensor) and output.ndim > 2:
        raise UnsupportedModelError(
            f"the model gives {described(output)}, with places; name those to explain: explain(…, at=mask): True "
            "where class scores are averaged; corrections and measurements need one prediction per row"
        )
    if not isinstance(output, Tensor) or output.ndim == 0:
        raise UnsupportedModelError(f"the model gives {described(output)}; expected (batch,) or (batch, num_outputs)")
    return output[:, None] if output.ndim == 1 else output


def class_logits(output: object) -> Float[Tensor, " batch num_classes"]:
    """Logits with one column per class; a single logit z per row is that of class 1 of two and becomes (0, z).

    Raises:
        UnsupportedModelError: neither (batch,) nor (batch, num_classes).
    """
    logits = as_outputs(output)
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits
