"""A network whose logits are divided by a temperature: Guo et al. 2017, on calibration of modern neural networks."""

import math
import reprlib
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.figures import number
from corrigible.models.ensemble import is_ensemble
from corrigible.models.networks import network_of
from corrigible.outputs import scores_in
from corrigible.printable import plural


@dataclass(frozen=True)
class TemperatureFit:
    """How a temperature was found."""

    temperature: float
    nll_before: float
    """The mean negative log-likelihood of the labels in nats, at temperature 1 and at the one that was found."""
    nll_after: float
    num_rows: int
    num_exchanges: int
    """How often the marked content of all rows was exchanged; 0 for rows as they are."""

    def __str__(self) -> str:
        rows = plural(self.num_rows, "row")
        how = f", marked content exchanged {self.num_exchanges} times" if self.num_exchanges else " as they are"
        fell = f"{number(self.nll_before)} → {number(self.nll_after)} nats"
        return f"temperature {number(self.temperature)}: negative log-likelihood {fell} on {rows}{how}"


class TemperatureScaled(nn.Module):
    """A network of classes whose logits are divided by a temperature: above 1 it is less sure, below 1 surer.

    Of an ensemble the logits of each member are divided, and of a network with a distribution over its weights those
    of each sample (`corrigible.models.predictive.predictive`). The class that a single network predicts stays the same;
    the mean over several may be largest for another class than before. After training the temperature would no longer
    fit, so that functions that train refuse it: train the network inside, and calibrate last.

    Args:
        network: gives logits of shape (batch, num_classes), or one logit per row for two classes; wrappers such as
            DataParallel are taken off.
        temperature: a number above 0; stored with the weights, as a buffer.

    Raises:
        RecipeError: another temperature.
        UnsupportedModelError: no network.
    """

    temperature: Tensor
    calibration: TemperatureFit | None
    """How the temperature was found; None if it was given."""

    def __init__(self, network: nn.Module, temperature: Any = 1.0) -> None:
        super().__init__()
        given = temperature.item() if isinstance(temperature, Tensor) and temperature.ndim == 0 else temperature
        if isinstance(given, bool) or not isinstance(given, Real) or not 0 < float(given) < math.inf:
            raise RecipeError(f"the temperature is {reprlib.repr(temperature)}; expected a number above 0")
        self.network, self.calibration = network_of(network), None
        like = next((weight for weight in self.network.parameters() if weight.is_floating_point()), torch.empty(0))
        value = torch.tensor(float(given), dtype=like.dtype, device=like.device)
        self.register_buffer("temperature", value)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        found: Tensor
        if is_ensemble(self.network):
            found = self.network.combined(self.scaled(self.network.member_outputs(x)))
        else:
            found = self.scaled(scores_in(self.network(x)))
        return found

    def extra_repr(self) -> str:
        return f"temperature={number(float(self.temperature))}"

    def scaled(self, outputs: Float[Tensor, " *rows output"]) -> Float[Tensor, " *rows output"]:
        """The logits at this temperature."""
        return outputs / self.temperature
