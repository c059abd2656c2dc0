"""Rieger, Singh, Murdoch and Yu 2020, Interpretations are useful: penalizing explanations to align neural networks.

Equation 2 with the contextual decomposition of section 3.2, and with 0 as the wanted explanation of the marked inputs.
Contributions are centred over the classes, because what all logits share changes no prediction, and averaged over
classes and rows. Activation functions average over both orders of adding the parts (Murdoch, Liu and Yu 2018). The
paper follows Singh et al. 2019 and adds the marked inputs first, which would ignore contributions that only lower an
activation.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.models.affine import centred_at_zero
from corrigible.models.centring import centred
from corrigible.models.decomposition import contribution
from corrigible.models.draws import PassDraws, drawing_from
from corrigible.models.forward import Forward
from corrigible.models.modes import like_parameters
from corrigible.types import Batch


@declared(looks_at="own passes")
def contextual_decomposition(forward: Forward, batch: Batch) -> Float[Tensor, ""]:
    """Mean absolute contribution of the marked inputs to the logits, in units of a logit.

    For tasks without classes it is the contribution to the standardised outputs. The fixed centre of a built-in
    network's outputs counts for nothing.

    In a linear model, the contribution of an input is its weight times its value. So a marked input that is 0
    contributes nothing and gets no correction; the one-hot columns of a category are taken relative to their mean. The
    penalty takes one more pass over the rows and needs no second derivative.

    Raises:
        UnsupportedModelError: the model calls a function that the decomposition does not cover.
    """
    assert batch.irrelevant is not None
    x = like_parameters(batch.x.detach(), forward.model)
    part = torch.where(batch.irrelevant, centred(x, batch.columns), 0.0)
    # Layers that draw get the draws of the pass.
    with drawing_from(PassDraws(forward.seed, lambda: batch.index)):
        contributed = _contributed(forward, x, part)
    return mean_over_marked(contributed.abs().mean(dim=1), batch.irrelevant)


def _contributed(forward: Forward, x: Tensor, part: Tensor) -> Float[Tensor, " batch output"]:
    task = forward.task
    if task.name == "classes":
        _, found = contribution(forward.model, x, part)
        return found - found.mean(dim=1, keepdim=True)
    with centred_at_zero(forward.model):
        _, found = contribution(forward.model, x, part, read=lambda output: task.standard(task.outputs(output)))
    return found
