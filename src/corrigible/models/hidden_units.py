"""Hidden units: the layers whose outputs are their activations, and how active each unit is."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules import activation

from corrigible.errors import UnsupportedModelError
from corrigible.models.forward import Forward

NOT_OF_UNITS = (nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.Softmin)
"""In PyTorch's list of activation functions, but not elementwise."""
ACTIVATION_FUNCTIONS = tuple(
    kind
    for kind in (getattr(activation, name) for name in activation.__all__)
    if isinstance(kind, type) and kind not in NOT_OF_UNITS
)


def hidden_layers(forward: Forward, layers: Sequence[str] | None) -> tuple[str, ...]:
    """The named layers that ran in this pass, from the input to the output; None for every activation function.

    Raises:
        UnsupportedModelError: no such layer ran, or no activation function is a layer.
    """
    if layers is None:
        modules = dict(forward.model.named_modules())
        found = tuple(name for name in forward.layers if isinstance(modules[name], ACTIVATION_FUNCTIONS))
        if not found:
            raise UnsupportedModelError(
                "no activation function of the model is a layer of its own; name layers whose outputs are activations: "
                f"it has {', '.join(forward.layers) or 'none'}"
            )
        return found
    for name in layers:
        _ = forward.shape_of(name)
    if not layers:
        raise UnsupportedModelError("layers is empty; expected names of layers, or None for all activation functions")
    return tuple(name for name in forward.layers if name in layers)


def per_unit(activation: Float[Tensor, " batch unit *position"]) -> Float[Tensor, " batch unit"]:
    """Each unit's activation; for the channel of an image or a sequence the mean over its positions."""
    return activation if activation.ndim == 2 else activation.flatten(2).mean(dim=2)
