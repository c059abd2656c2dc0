"""Shen et al. 2024, Variational learning is effective for large deep networks, algorithm 1: IVON.

An optimizer that learns a normal distribution for each parameter at about the cost of Adam. The parameters are drawn
before each gradient. The gradient g at the draw θ teaches the mean m, and g·(θ − m)/σ², whose mean over draws is the
loss's curvature, teaches the variance: σ² = 1/(λ(h + δ)), with λ training rows, curvature h and weight decay δ. So the
prior of each parameter is N(0, 1/(λδ)).
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.gaussian_weights import GaussianWeights


class IVON(Optimizer):
    """The optimizer; `Ivon` makes one for a `Schedule`.

    From `zero_grad` to `step` the parameters are a draw; at all other times they are the means.

    Args:
        lr: of the mean; the first steps are as large as those of gradient descent with this rate (the paper's
            rescaling), about 0.1.
        num_rows: training rows, of which the loss is the mean; fewer give a wider distribution.
        weight_decay: δ; it must be above 0.
        curvature: h before the first step.
        betas: how much of the former gradient and curvature each step keeps.
        seed: of the draws.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.1,
        *,
        num_rows: int | float,
        weight_decay: float = 1e-4,
        curvature: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.99999),
        seed: int = 0,
    ) -> None:
        for name, value in (
            ("lr", lr),
            ("num_rows", num_rows),
            ("weight_decay", weight_decay),
            ("curvature", curvature),
        ):
            if not value > 0:
                raise ValueError(f"{name} is {value}; expected a number above 0")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas is {betas}; expected two numbers from 0 to below 1")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "num_rows": num_rows,
            "curvature": curvature,
            "betas": betas,
        }
        super().__init__(parameters, defaults)
        self._generator = torch.Generator().manual_seed(seed)
        self._means: dict[nn.Parameter, Tensor] = {}
        """The mean of each parameter while they are a draw."""

    @torch.no_grad()
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients and draw the parameters."""
        super().zero_grad(set_to_none)
        self._offsets_undone()
        for group in self.param_groups:
            for parameter in group["params"]:
                noise = torch.randn(parameter.shape, generator=self._generator, dtype=parameter.dtype)
                self._means[parameter] = parameter.clone()
                parameter.addcmul_(noise.to(parameter.device), self._std(parameter, group))

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Return to the means and move them, and the curvatures.

        Raises:
            ValueError: a closure, or no `zero_grad` before it.
        """
        if closure is not None or not self._means:
            raise ValueError("IVON.step needs a zero_grad before the loss is computed, and takes no closure")
        offsets = self._offsets_undone()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._learn(parameter, parameter.grad, offsets[parameter], group)
        return None

    def std(self, parameter: nn.Parameter) -> Tensor:
        """The standard deviation of each number of the parameter."""
        groups = (group for group in self.param_groups if any(parameter is known for known in group["params"]))
        return self._std(parameter, next(groups))

    def _std(self, parameter: nn.Parameter, group: dict[str, Any]) -> Tensor:
        curvature: Tensor = self._state_of(parameter, group)["curvature"]
        precision: Tensor = group["num_rows"] * (curvature + group["weight_decay"])
        return precision.rsqrt()

    def _learn(self, parameter: nn.Parameter, gradient: Tensor, offset: Tensor, group: dict[str, Any]) -> None:
        state, decay, (first, second) = self._state_of(parameter, group), group["weight_decay"], group["betas"]
        old = state["curvature"] + decay
        found = gradient * offset * old * group["num_rows"] - state["curvature"]
        state["gradient"].lerp_(gradient, 1 - first)
        # The square keeps the curvature above -δ (the paper's retraction), whatever the draw was.
        state["curvature"].add_((1 - second) * found + 0.5 * (1 - second) ** 2 * found.square() / old)
        state["steps"] += 1
        mean = state["gradient"] / (1 - first ** state["steps"])
        rate = group["lr"] * (group["curvature"] + decay)
        parameter.sub_(rate * (mean + decay * parameter) / (state["curvature"] + decay))

    def _state_of(self, parameter: nn.Parameter, group: dict[str, Any]) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state["steps"] = 0
            state["gradient"] = torch.zeros_like(parameter)
            state["curvature"] = torch.full_like(parameter, group["curvature"])
        return state

    def _offsets_undone(self) -> dict[nn.Parameter, Tensor]:
        """Return to the means; θ − m of each parameter."""
        means, self._means = self._means, {}
        offsets = {parameter: parameter - mean for parameter, mean in means.items()}
        for parameter, mean in means.items():
            parameter.copy_(mean)
        return offsets


class Ivon:
    """Makes the optimizers of a `Schedule`, and keeps them, because they hold the distribution.

    ``Schedule(optimizer=Ivon(num_rows=…), learning_rate=0.1, weight_decay=1e-4)``; settings as for `IVON`.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.made: list[IVON] = []

    def __call__(self, parameters: Iterable[Any], *, lr: float, weight_decay: float) -> IVON:
        """An optimizer with this learning rate and weight decay."""
        self.made.append(IVON(parameters, lr, weight_decay=weight_decay, **self.settings))
        return self.made[-1]

    def posterior(self, model: nn.Module) -> GaussianWeights:
        """The trained network with the distribution of its parameters, for `predictive`.

        Raises:
            UnsupportedModelError: no optimizer made here trained this network.
        """
        for optimizer in reversed(self.made):
            known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
            trained = {name: parameter for name, parameter in model.named_parameters() if id(parameter) in known}
            if trained:
                return GaussianWeights(model, {name: optimizer.std(parameter) for name, parameter in trained.items()})
        raise UnsupportedModelError(
            "no optimizer made here trained this network; give the network that training returned"
        )
