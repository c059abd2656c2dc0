"""An edge detector with the signature of an explainer: it never looks at the model (Adebayo et al. 2018, section 5).

A check of explanations that the edge detector passes is worthless.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from corrigible.errors import DataError


def edge_detector(
    model: nn.Module, x: Float[Tensor, " batch *input"], target: Int[Tensor, " batch *contrast"]
) -> Float[Tensor, " batch *input"]:
    """The steepness of each channel of the image (Sobel and Feldman 1968); the model and target are not used.

    Raises:
        DataError: x is not (batch, channel, height, width).
    """
    if x.ndim != 4:
        raise DataError(f"x has shape {tuple(x.shape)}; edge_detector needs (batch, channel, height, width)")
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]).to(x)
    kernels = torch.stack([across, across.T])[:, None]
    framed = pad(x.detach().flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
    steepness: Tensor = conv2d(framed, kernels).norm(dim=1)
    return steepness.reshape(x.shape)
