"""Shao, Skryagin, Stammer, Schramowski and Kersting 2021, Right for better reasons: constraining influence functions.

The influence of a row on its own loss, with the identity in the place of the inverse Hessian (the paper's cheaper form)
and with respect to the last linear layer's parameters alone. The gradient of the cross-entropy with respect to them is
(p - e_y) hᵀ and (p - e_y), for probabilities p and the layer's input h; so the influence is ‖p - e_y‖² (‖h‖² + 1),
each row's own and without a further derivative. For a model with one logit it is twice that, a constant factor.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from corrigible.errors import UnsupportedModelError
from corrigible.models.forward import Forward
from corrigible.types import Batch


def right_for_better_reasons(forward: Forward, batch: Batch) -> Float[Tensor, ""]:
    """Mean squared gradient, on the inputs that must not matter, of each row's influence on its own loss.

    It takes one more pass over the rows, for the inputs of the last layer. A row predicted with certainty has no
    influence and teaches nothing.

    Raises:
        UnsupportedModelError: the logits are not the output of a linear layer.
    """
    assert batch.irrelevant is not None
    layer = _last_linear(forward)
    again = Forward(forward.model, batch, seed=forward.seed)
    entered: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    try:
        residual = again.logits.softmax(dim=1) - one_hot(forward.labels, again.logits.shape[1])
    finally:
        hook.remove()
    with torch.enable_grad():
        size = entered[-1].flatten(1).square().sum(dim=1) + (layer.bias is not None)
        influence = residual.square().sum(dim=1) * size
    gradient = again.input_gradient(lambda logits, target: influence, forward.labels)
    return (gradient.square() * batch.irrelevant).sum() / batch.irrelevant.sum().clamp_min(1)


def _last_linear(forward: Forward) -> nn.Linear:
    linear = {name: module for name, module in forward.model.named_modules() if isinstance(module, nn.Linear)}
    for name in reversed([name for name in forward.layers if name in linear]):
        given = forward.activation(name).reshape(forward.num_rows, -1)
        # A single logit z is in the last column of (0, z).
        if given.shape[1] in (1, forward.logits.shape[1]) and torch.equal(given, forward.logits[:, -given.shape[1] :]):
            return linear[name]
    raise UnsupportedModelError(
        "the logits are not what a linear layer of the model gives; right_for_better_reasons needs one as the last "
        "layer: wrap the model so that it has one, or choose right_reasons"
    )
