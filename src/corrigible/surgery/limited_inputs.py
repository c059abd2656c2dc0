"""A network whose predictions some inputs move only as much as is allowed."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.surgery.replacements import Replacement
from corrigible.tasks import CLASSES
from corrigible.types import Task


class LimitedInputs(nn.Module):
    """A network that sees each limited input v as r + ``kept`` · (v − r), where r stands in its place.

    With ``kept`` 0 the limited inputs have no influence of their own, exactly: the output does not depend on them.
    Where several values stand in their place, the prediction is the mean over them: f(x) becomes Σ_v P(v) f(x with v).

    Args:
        is_limited: in the shape of one row.
        task: what the outputs mean; it says what the mean of several predictions is.
        num_outputs: the network's number of outputs.
    """

    def __init__(
        self,
        network: nn.Module,
        is_limited: Bool[Tensor, " *input"],
        replacement: Replacement,
        *,
        num_outputs: int,
        task: Task = CLASSES,
    ) -> None:
        super().__init__()
        self.network, self.task = network, task
        like = next((p.detach() for p in network.parameters() if p.is_floating_point()), replacement.values)
        # Whole numbers and truth values keep their type.
        buffers = {
            "is_limited": is_limited.clone().to(like.device),
            "values": replacement.values.to(like),
            "repeats": replacement.repeats.to(like.device),
            "slope": None if replacement.slope is None else replacement.slope.to(like),
            "kept": like.new_zeros(()),
            "start": like.new_zeros(num_outputs),
            "stretch": like.new_ones(()),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value)

    is_limited: Tensor
    values: Tensor
    repeats: Tensor
    slope: Tensor | None
    kept: Tensor
    """Share of the deviations from what stands in place that is kept, from 0 to 1."""
    start: Tensor
    """The outputs at the baseline row, from which ``stretch`` counts."""
    stretch: Tensor
    """How many times the other inputs' contributions are what they were; 1 leaves them."""

    def forward(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch output"]:
        flat = x.flatten(1)
        held = flat[:, self.is_limited.flatten()]
        moving = 0.0 if self.slope is None else flat @ self.slope.T
        found = [self._with(x, torch.lerp(value.expand_as(held) + moving, held, self.kept)) for value in self.values]
        outputs = found[0] if len(found) == 1 else self.task.combined(self._repeated(found))
        return torch.lerp(self.start, outputs, self.stretch)

    @torch.no_grad()
    def shift(self, by: Float[Tensor, " output"]) -> None:
        """Add numbers to the outputs, in place; the network itself must have such a method.

        Where predictions are means of exponentials, each of these is multiplied, and so is their mean.
        """
        self.network.shift(by)  # type: ignore[operator]
        self.start.add_(by.to(self.start))

    def _with(self, x: Tensor, values: Float[Tensor, " batch limited"]) -> Float[Tensor, " batch output"]:
        """The outputs with these values in the limited inputs."""
        place = self.is_limited.expand(x.shape)
        return self.task.outputs(self.network(x.masked_scatter(place, values)))

    def _repeated(self, found: list[Tensor]) -> Float[Tensor, " pass batch output"]:
        """The outputs of each value as often as it counts."""
        return torch.stack(found).repeat_interleave(self.repeats, dim=0)
