"""A network whose parameters were given a normal distribution by or after training: by IVON, SWAG or Laplace."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.weight_draws import normal_draw


class GaussianWeights(nn.Module):
    """The network at the mean of its parameters; `predictive` draws them.

    A draw is the mean, plus each parameter's own noise, plus a random mixture of directions in which parameters move
    together: mean + std·z + Σ direction·z′, with standard normal z for each parameter and z′ for each direction.

    Args:
        network: its parameters are the means.
        stds: by the names of the network's parameters, in their shapes; other parameters have no noise of their own.
        directions: likewise, in the shape (direction, *parameter).

    Raises:
        UnsupportedModelError: a name that is no parameter, or another shape.
    """

    def __init__(
        self, network: nn.Module, stds: Mapping[str, Tensor], directions: Mapping[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        self.network = network
        parameters = dict(network.named_parameters())
        self.std_names, self.direction_names = tuple(stds), tuple(directions or ())
        for name, shape in [(name, std.shape) for name, std in stds.items()] + [
            (name, values.shape[1:]) for name, values in (directions or {}).items()
        ]:
            if name not in parameters or parameters[name].shape != shape:
                raise UnsupportedModelError(f"no parameter {name!r} of shape {tuple(shape)} in the network")
        for place, std in enumerate(stds.values()):
            self.register_buffer(f"std_{place}", std.detach().clone())
        for place, values in enumerate((directions or {}).values()):
            self.register_buffer(f"directions_{place}", values.detach().clone())

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        found: Tensor = self.network(x)
        return found

    def weight_draw(self, number: int, *, seed: int, name: str) -> dict[str, Tensor]:
        """The draw of this number of the parameters, by their names in this module."""
        parameters = dict(self.network.named_parameters())
        found: dict[str, Tensor] = {}
        for place, of in enumerate(self.std_names):
            noise = normal_draw(parameters[of], number, seed=seed, name=f"parameters/{name}/{of}")
            found[of] = parameters[of] + self.get_buffer(f"std_{place}") * noise
        for place, of in enumerate(self.direction_names):
            directions = self.get_buffer(f"directions_{place}")
            # All parameters of a draw share the numbers, because a direction moves them together.
            one_each = directions.flatten(1)[:, 0]
            mixture = normal_draw(one_each, number, seed=seed, name=f"directions/{name}")
            found[of] = found.get(of, parameters[of]) + torch.tensordot(mixture, directions, dims=1)
        return {f"network.{of}": drawn for of, drawn in found.items()}
