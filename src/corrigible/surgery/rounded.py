"""Rounded answers: what is served of a network says less of single rows than what it computes.

Shokri et al. 2017, Membership inference attacks against machine learning models, section 8, round probabilities.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.models.networks import network_of
from corrigible.outputs import as_outputs

MOST_DECIMALS = 6
NEVER = 1e-9
"""The probability in place of one that is rounded to 0, whose logarithm is not a number."""


class Rounded(nn.Module):
    """A network of classes whose probabilities are rounded; its outputs are their logits.

    Rounded probabilities are divided by their sum, which is 1 but for the rounding. They have no gradient: the network
    inside, ``network``, is the one to train, or to explain by gradients.

    Args:
        network: gives logits of shape (batch, num_classes), or one logit per row for two classes.
        decimals: of each probability, 1 to 6.

    Raises:
        RecipeError: another number of decimals.
        UnsupportedModelError: no network; and once it is run: a gradient is asked for.
    """

    def __init__(self, network: nn.Module, *, decimals: int = 2) -> None:
        super().__init__()
        self.network = network_of(network)
        self.decimals = whole_number("decimals", decimals, 1, MOST_DECIMALS)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch output"]:
        """The logits of rounded probabilities.

        Raises:
            UnsupportedModelError: x needs a gradient, or the network is in training.
        """
        if torch.is_grad_enabled() and (x.requires_grad or self.training):
            raise UnsupportedModelError(
                "the model's probabilities are rounded and have no gradient; train or explain the network inside, "
                "model.network, or explain by a method that only looks at scores, such as kernel_shap or occlusion"
            )
        with torch.no_grad():
            logits = as_outputs(self.network(x))
            if logits.shape[1] == 1:
                sure = logits.sigmoid().round(decimals=self.decimals)
                return sure.clamp_min(NEVER).log() - (1 - sure).clamp_min(NEVER).log()
            return logits.softmax(dim=1).round(decimals=self.decimals).clamp_min(NEVER).log()


def rounded(model: nn.Module, *, decimals: int = 2) -> Rounded:
    """The model with probabilities rounded to so many decimals; see `Rounded`. The model itself is left as it is."""
    served = Rounded(model, decimals=decimals)
    return served.train(model.training)


def rounded_attribution(
    attribution: Float[Tensor, " batch *input"], *, step: float = 0.05
) -> Float[Tensor, " batch *input"]:
    """The attributions, each rounded to a multiple of a share of the largest size in its row.

    Args:
        step: that share, above 0 and at most 1.

    Raises:
        RecipeError: another share.
    """
    if not 0 < step <= 1:
        raise RecipeError(f"step is {step}; expected a share above 0 and at most 1, such as 0.05")
    largest = attribution.abs().flatten(1).amax(dim=1).reshape(-1, *[1] * (attribution.ndim - 1))
    unit = step * torch.where(largest > 0, largest, 1.0)
    return (attribution / unit).round() * unit
