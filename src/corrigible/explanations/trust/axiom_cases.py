"""Models and rows on which axioms are tested."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from corrigible.models.modes import PrivateRandomness
from corrigible.outputs import as_outputs
from corrigible.tasks import CLASSES, TaskChoice


@dataclass(frozen=True)
class Case:
    """A model, rows to explain, and known facts about the model."""

    name: str
    model: nn.Module
    x: Float[Tensor, " batch *input"]
    target: Int[Tensor, " batch"]
    reference: Float[Tensor, " row *input"]
    """What stands for "nothing here": one baseline, or several rows over which the score is averaged."""
    ignored: int | None = None
    """The position, in the flattened row, of an input that the model is known to ignore."""
    symmetric: tuple[int, int] | None = None
    """Two inputs that can be exchanged without changing the output, equal in x and in the reference."""
    twin: nn.Module | None = None
    """Another network that computes the same function."""
    task: TaskChoice | None = None
    """What the outputs mean, as in `explain`."""


def saturated() -> Case:
    """1 − ReLU(1 − x) at 2: output 1 with gradient 0; at the baseline 0 the output is 0 (Sundararajan 2017)."""
    return _table(
        "1 − ReLU(1 − x)", nn.Sequential(_linear([[-1.0]], [1.0]), nn.ReLU(), _linear([[-1.0]], [1.0])), [[2.0]]
    )


def twins() -> Case:
    """ReLU(ReLU(x₁) − 1 − ReLU(x₂)) and ReLU(ReLU(x₁ − 1) − ReLU(x₂)) at (3, 1): equal everywhere."""
    both = [[1.0, 0.0], [0.0, 1.0]]
    first = nn.Sequential(_linear(both, [0.0, 0.0]), nn.ReLU(), _linear([[1.0, -1.0]], [-1.0]), nn.ReLU())
    second = nn.Sequential(_linear(both, [-1.0, 0.0]), nn.ReLU(), _linear([[1.0, -1.0]], [0.0]), nn.ReLU())
    return _table("ReLU(ReLU(x₁) − 1 − ReLU(x₂))", first, [[3.0, 1.0]], twin=second)


def cancelled() -> Case:
    """ReLU(x₁) + ReLU(x₁ + x₂) − ReLU(x₁ + x₂) at (1, 2): x₂ enters the network and leaves no trace."""
    hidden = _linear([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]], [0.0, 0.0, 0.0])
    model = nn.Sequential(hidden, nn.ReLU(), _linear([[1.0, 1.0, -1.0]], [0.0]))
    return _table("ReLU(x₁) + ReLU(x₁ + x₂) − ReLU(x₁ + x₂)", model, [[1.0, 2.0]], ignored=1)


def exchangeable() -> Case:
    """ReLU(x₁ + x₂ − 1) + ReLU(x₁ − x₃) + ReLU(x₂ − x₃) at (2, 2, 1): x₁ and x₂ can be exchanged."""
    hidden = _linear([[1.0, 1.0, 0.0], [1.0, 0.0, -1.0], [0.0, 1.0, -1.0]], [-1.0, 0.0, 0.0])
    model = nn.Sequential(hidden, nn.ReLU(), _linear([[1.0, 1.0, 1.0]], [0.0]))
    return _table("ReLU(x₁ + x₂ − 1) + ReLU(x₁ − x₃) + ReLU(x₂ − x₃)", model, [[2.0, 2.0, 1.0]], symmetric=(0, 1))


def small_network() -> Case:
    """A ReLU network with random weights for a table of four columns and three classes."""
    with PrivateRandomness(0):
        layers = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)
        model, x = nn.Sequential(*layers).double(), 2 * torch.randn(4, 4, dtype=torch.float64)
    return Case("a ReLU network", model, x, torch.tensor([0, 1, 2, 0]), torch.zeros_like(x[:1]))


def small_image_network() -> Case:
    """A ReLU network with random weights for images of 6×6 pixels and three classes."""
    with PrivateRandomness(0):
        convolutions = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()
        model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(144, 3)).double()
        x = torch.randn(3, 1, 6, 6, dtype=torch.float64)
    return Case("a convolutional ReLU network", model, x, torch.tensor([0, 1, 2]), torch.zeros_like(x[:1]))


def small_linear_network() -> Case:
    """One linear layer with random weights, for a table of four columns and three classes."""
    with PrivateRandomness(0):
        model, x = nn.Sequential(nn.Linear(4, 3)).double(), 2 * torch.randn(4, 4, dtype=torch.float64)
    return Case("a linear network", model, x, torch.tensor([0, 1, 2, 0]), torch.zeros_like(x[:1]))


class WithIgnored(nn.Module):
    """A model that gets one additional column or channel and drops it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        found: Tensor = self.model(x[:, :-1])
        return found


class Doubled(nn.Module):
    """A model that gets its input twice, along the axis of columns or channels, and uses the mean."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        found: Tensor = self.model(torch.stack(x.chunk(2, dim=1)).mean(dim=0))
        return found


class Mixed(nn.Module):
    """A model with one additional output, a weighted sum of the others."""

    def __init__(
        self, model: nn.Module, mixture: Float[Tensor, " output"], outputs: Callable[[object], Tensor] = as_outputs
    ) -> None:
        super().__init__()
        self.model = model
        self.outputs = outputs
        self.mixture: Tensor
        self.register_buffer("mixture", torch.cat([torch.eye(len(mixture)).to(mixture), mixture[None]]))

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        return functional.linear(self.outputs(self.model(x)), self.mixture)


def _linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return layer


def _table(name: str, model: nn.Module, x: list[list[float]], **known: object) -> Case:
    """A case with a single score, which is read as the logit of class 1, and a baseline of zeros."""
    rows = torch.tensor(x, dtype=torch.float64)
    target = torch.ones(len(rows), dtype=torch.long)
    return Case(name, model, rows, target, torch.zeros_like(rows[:1]), task=CLASSES, **known)  # type: ignore[arg-type]
