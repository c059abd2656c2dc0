"""Anders et al. 2022, Finding and removing Clever Hans: using explanation methods to debug and improve deep models.

P-ClArC: without training, a layer is projected so that a concept is as weak on every row as on rows without it.
"""

from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.networks import copied, network_of


class ConceptProjection(nn.Module):
    """A layer whose output is set to a fixed value along the concept's direction, at every position of every row."""

    def __init__(self, layer: nn.Module, direction: Float[Tensor, " channel"], mean: Float[Tensor, " channel"]) -> None:
        super().__init__()
        self.layer = layer
        self.direction: Tensor
        self.mean: Tensor
        self.register_buffer("direction", direction.detach() / direction.norm())
        self.register_buffer("mean", mean.detach().clone())

    def forward(self, *arguments: Tensor) -> Tensor:
        given: Tensor = self.layer(*arguments)
        last = ends_in_channels(self.layer)
        output = given if last else given.movedim(1, -1)
        excess = (output - self.mean) @ self.direction
        projected = output - excess[..., None] * self.direction
        return projected if last else projected.movedim(-1, 1)


def ends_in_channels(layer: nn.Module) -> bool:
    """Whether the channels are the last axis of the layer's output, rather than the first one after the rows."""
    while isinstance(layer, ConceptProjection):
        layer = layer.layer
    return isinstance(layer, nn.Linear | nn.LayerNorm | nn.Embedding)


def project_out(
    model: nn.Module, layer: str, direction: Float[Tensor, " channel"], mean: Float[Tensor, " _"]
) -> nn.Module:
    """A copy of the model in which the layer's output has the mean's value along the direction.

    The direction and the mean are buffers: they are saved with the weights. To load such weights, build the same
    network with any direction and mean of these shapes first.

    Args:
        direction: the concept's direction, of any length above 0.
        mean: the layer's output, averaged over positions and over rows without the concept.

    Raises:
        UnsupportedModelError: no such layer, a direction of 0, or shapes that differ.
    """
    projected = copied(network_of(model))
    names = [name for name, _ in projected.named_modules() if name]
    if layer not in names:
        raise UnsupportedModelError(f"no layer {layer!r}; this model has {', '.join(names)}")
    if direction.ndim != 1 or direction.shape != mean.shape or not bool(direction.any()):
        found = f"shape {tuple(direction.shape)} and mean of shape {tuple(mean.shape)}"
        raise UnsupportedModelError(f"direction of {found}; expected two vectors (channel,), the first not 0")
    replaced = projected.get_submodule(layer)
    like = next((t for t in projected.parameters() if t.is_floating_point()), direction)
    projection = ConceptProjection(replaced, direction.to(like), mean.to(like)).train(replaced.training)
    projected.set_submodule(layer, projection)
    return projected
