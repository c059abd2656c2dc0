"""Layers whose outputs can only rise with some of their inputs, whatever their parameters are.

Runje and Shankaranarayana 2023, Constrained monotonic neural networks, section 3: weights that are not negative, and
activations of which some are convex, some concave and some bounded, because with ReLU alone only convex functions could
be learned. The free inputs have layers of their own, which feed into those of the others, as in Amos, Xu and Kolter
2017, Input convex neural networks, section 3.2.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.models.members import MemberHeads, MemberLinear


def magnitude(weight: Tensor) -> Tensor:
    """The weight without its sign."""
    # Not abs, which function modes take for a nonlinear function of an input.
    return weight * weight.detach().sign()


class RisingLinear(nn.Module):
    """A `MemberLinear` whose outputs rise with each input: weights and scales enter by their magnitude."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        # Inputs that rise together add up: weights of one sign are of the order of 1 / inputs, not of its root.
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-1, 1) * 2 / inputs)
        self.input_scale = nn.Parameter(torch.empty(members, inputs).uniform_(0.5, 1.5))
        self.output_scale = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-1, 1))

    def forward(self, x: Float[Tensor, " batch _ inputs"]) -> Float[Tensor, " batch member outputs"]:
        found = nn.functional.linear(x * magnitude(self.input_scale), magnitude(self.weight))
        return found * magnitude(self.output_scale) + self.bias


def mixed(z: Float[Tensor, " *rows unit"]) -> Float[Tensor, " *rows unit"]:
    """Activations that rise: of a third of the units each convex, concave and bounded, all with slope 1 or 0."""
    size = -(-z.shape[-1] // 3)
    convex, concave, bounded = z[..., :size], z[..., size : 2 * size], z[..., 2 * size :]
    return torch.cat([convex.relu(), -(-concave).relu(), nn.functional.hardtanh(bounded)], dim=-1)


class MonotoneLayer(nn.Module):
    """One hidden layer: units that rise with some inputs beside units of the free inputs alone."""

    def __init__(self, rising: int, free: int, outputs: int, members: int, *, differ: bool, dropout: float) -> None:
        super().__init__()
        self.rising = RisingLinear(rising, outputs, members)
        self.feeding = MemberLinear(free, outputs, members, differ=differ) if free else None
        self.free = MemberLinear(free, outputs, members, differ=differ) if free else None
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, rising: Float[Tensor, " batch _ rising"], free: Float[Tensor, " batch _ free"]
    ) -> tuple[Float[Tensor, " batch member outputs"], Float[Tensor, " batch member free_outputs"]]:
        z = self.rising(rising)
        if self.feeding is None or self.free is None:
            return self.dropout(mixed(z)), z[..., :0]
        return self.dropout(mixed(z + self.feeding(free))), self.dropout(self.free(free).relu())


class MonotoneBody(nn.Module):
    """Hidden layers of which the first units rise with the inputs in ``rises``, and the others depend on none of them.

    Args:
        rises: for each input whether all must rise with it; at least one.
        hidden: the units of each layer that rise; there are as many free ones, unless no input is free.
    """

    def __init__(self, rises: Sequence[bool], hidden: Sequence[int], members: int, dropout: float) -> None:
        super().__init__()
        # On the CPU also where a network is only sized, without memory for its weights.
        does_rise = torch.tensor(list(rises), dtype=torch.bool, device="cpu")
        self.register_buffer("rising", does_rise.nonzero()[:, 0])
        self.register_buffer("free", (~does_rise).nonzero()[:, 0])
        self.layers = nn.ModuleList()
        self.sizes = (sum(rises), len(rises) - sum(rises))
        for place, size in enumerate(hidden):
            self.layers.append(MonotoneLayer(*self.sizes, size, members, differ=place == 0, dropout=dropout))
            self.sizes = (size, size if self.sizes[1] else 0)

    def forward(self, inputs: Float[Tensor, " batch _ input"]) -> Float[Tensor, " batch member unit"]:
        rising, free = inputs[..., self.get_buffer("rising")], inputs[..., self.get_buffer("free")]
        for layer in self.layers:
            rising, free = layer(rising, free)
        return torch.cat([rising, free], dim=-1)


class MonotoneHeads(nn.Module):
    """`MemberHeads` on the units of a `MonotoneBody`; each output follows the rising units in its direction, or not.

    Args:
        sizes: the numbers of rising and of free units.
        directions: for each output 1, -1, or 0 for an output of the free units alone.
    """

    def __init__(self, sizes: tuple[int, int], directions: Sequence[int], members: int) -> None:
        super().__init__()
        self.num_rising, free = sizes
        self.rising = MemberHeads(self.num_rising, len(directions), members)
        self.free = MemberHeads(free, len(directions), members) if free else None
        self.register_buffer("direction", torch.tensor(list(directions), dtype=torch.float32, device="cpu"))

    def forward(self, x: Float[Tensor, " batch _ unit"]) -> Float[Tensor, " batch member output"]:
        weight = magnitude(self.rising.weight) * self.get_buffer("direction")
        found = torch.einsum("bmi,mio->bmo", x[..., : self.num_rising], weight) + self.rising.bias
        return found if self.free is None else found + self.free(x[..., self.num_rising :])


def directions_of(
    constraints: Mapping[str, int], features: Sequence[str], one_hot: Sequence[bool], outputs: Sequence[int]
) -> list[int]:
    """For each encoded column its direction: that of its feature, and 0 for others.

    Args:
        features: for each column the name of the number or category in it.
        outputs: for each output 1 or -1 if it rises or falls with the prediction, or 0.

    Raises:
        ValueError: an unknown feature, a category, a direction that is none, or outputs that have no order.
    """
    names = list(dict.fromkeys(features))
    found = [0] * len(one_hot)
    for name, direction in constraints.items():
        if isinstance(direction, bool) or direction not in (1, -1, 0):
            raise ValueError(f"monotonic_cst of {name!r} is {direction!r}; expected 1, -1 or 0")
        if name not in names:
            raise ValueError(f"monotonic_cst names {name!r}; there are {', '.join(map(repr, names)) or 'no columns'}")
        place = list(features).index(name)
        if direction and one_hot[place]:
            raise ValueError(f"monotonic_cst names {name!r}, a column of categories; expected a column of numbers")
        found[place] = int(direction)
    if any(found) and not any(outputs):
        raise ValueError("monotonic_cst is for two classes, ordered classes or numbers; these classes have no order")
    return found


def has_directions(model: nn.Module) -> bool:
    """Whether a layer of the model keeps directions."""
    return any(isinstance(module, MonotoneHeads) for module in model.modules())
