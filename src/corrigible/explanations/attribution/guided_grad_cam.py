"""Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based localization.

Section 3.2, guided Grad-CAM.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.attribution.grad_cam import grad_cam_of
from corrigible.explanations.attribution.guided_backpropagation import guided_backpropagation_of, guided_pass_of
from corrigible.models.forward import Score
from corrigible.models.modes import untouched


def guided_grad_cam(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    layer: str | None = None,
    score: str | Score = "target_logit",
    seed: int = 0,
    differentiable: bool = False,
) -> Float[Tensor, " batch *input"]:
    """Guided backpropagation times the enlarged Grad-CAM: fine detail where the layer finds evidence for the score.

    Args:
        layer: name of Grad-CAM's layer; None for the last convolution with more than one place.

    Raises:
        UnsupportedModelError: see `guided_backpropagation` and `grad_cam_of`.
    """
    with untouched(model, seed):
        forward, rectifiers = guided_pass_of(model, x, target, seed=seed)
        heat = grad_cam_of(forward, target, layer=layer, score=score, create_graph=differentiable)
        guided = guided_backpropagation_of(forward, rectifiers, target, score=score, create_graph=differentiable)
        return heat * guided if differentiable else (heat * guided).detach()
