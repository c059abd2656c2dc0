"""Steps of optimizers as pure functions of weights, state and gradient, so that they can be differentiated.

They do what PyTorch's SGD, Adam (Kingma and Ba 2015) and AdamW do in place, on one vector of all weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from corrigible.errors import RecipeError
from corrigible.methods import name_of
from corrigible.protocols.careful import MOST_GRADIENT, careful_step, share_of_rate
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.steps import StepFactory

Vector = Float[Tensor, " weight"]
State = tuple[Tensor, ...]
Update = Callable[[Vector, State, Vector, int], tuple[Vector, State]]
"""(weights, state, gradient, steps done) -> the weights and the state after the step."""


@dataclass(frozen=True)
class PureSteps:
    """How a run goes from one step to the next."""

    update: Update
    num_states: int
    """How many vectors beside the weights the optimizer keeps."""

    def start(self, theta: Vector) -> State:
        return tuple(torch.zeros_like(theta) for _ in range(self.num_states))


def pure_steps(schedule: Schedule, num_steps: int, *, default: StepFactory | None = None) -> PureSteps:
    """The steps of a schedule.

    Args:
        default: the steps where the schedule names none; None for plain ones.

    Raises:
        RecipeError: an optimizer other than SGD, Adam and AdamW, or steps that are neither plain nor careful.
    """
    probe = torch.nn.Parameter(torch.zeros(1))
    optimizer = schedule.optimizer_of([probe])
    step = schedule.step_factory(default)
    if step not in (None, careful_step):
        raise RecipeError(f"the steps {name_of(step)!r} cannot be replayed; expected plain or careful steps")
    settings = optimizer.param_groups[0]
    make = RULES.get(type(optimizer))
    unusual = [name for name in REFUSED if settings.get(name)]
    if make is None or unusual:
        found = f"{type(optimizer).__name__}{f' with {unusual[0]}' if unusual else ''}"
        raise RecipeError(f"the optimizer {found} cannot be replayed; expected SGD, Adam or AdamW without {REFUSED[0]}")
    return PureSteps(_with_rates(make, settings, num_steps, is_careful=step is careful_step), _num_states(optimizer))


REFUSED = ("amsgrad", "maximize")


def _num_states(optimizer: Optimizer) -> int:
    if isinstance(optimizer, SGD):
        return 1 if optimizer.param_groups[0]["momentum"] else 0
    return 2


def _with_rates(
    make: Callable[[Mapping[str, Any], float], Update], settings: Mapping[str, Any], num_steps: int, *, is_careful: bool
) -> Update:
    rate = float(settings["lr"])
    if not is_careful:
        return make(settings, rate)

    def update(theta: Vector, state: State, gradient: Vector, done: int) -> tuple[Vector, State]:
        share = (MOST_GRADIENT / (gradient.norm() + 1e-6)).clamp(max=1.0)
        return make(settings, rate * share_of_rate(done, num_steps))(theta, state, gradient * share, done)

    return update


def _sgd(settings: Mapping[str, Any], rate: float) -> Update:
    momentum, decay = float(settings["momentum"]), float(settings["weight_decay"])
    kept, nesterov = 1 - float(settings["dampening"]), bool(settings["nesterov"])

    def update(theta: Vector, state: State, gradient: Vector, done: int) -> tuple[Vector, State]:
        gradient = gradient + decay * theta if decay else gradient
        if not momentum:
            return theta - rate * gradient, state
        speed = gradient if done == 0 else momentum * state[0] + kept * gradient
        return theta - rate * (gradient + momentum * speed if nesterov else speed), (speed,)

    return update


def _adam(settings: Mapping[str, Any], rate: float) -> Update:
    (first, second), decay, eps = settings["betas"], float(settings["weight_decay"]), float(settings["eps"])
    decoupled = bool(settings.get("decoupled_weight_decay"))

    def update(theta: Vector, state: State, gradient: Vector, done: int) -> tuple[Vector, State]:
        if decay and decoupled:
            theta = theta * (1 - rate * decay)
        elif decay:
            gradient = gradient + decay * theta
        mean = torch.lerp(state[0], gradient, 1 - first)
        square = second * state[1] + (1 - second) * gradient * gradient
        size = _root(square) / (1 - second ** (done + 1)) ** 0.5 + eps
        return theta - rate / (1 - first ** (done + 1)) * mean / size, (mean, square)

    return update


def _root(square: Vector) -> Vector:
    """The square root, whose slope at 0 counts as 0: a weight that never had a gradient does not move."""
    is_moved = square > 0
    return torch.where(is_moved, square, 1.0).sqrt() * is_moved


RULES: Mapping[type, Callable[[Mapping[str, Any], float], Update]] = {SGD: _sgd, Adam: _adam, AdamW: _adam}
