"""Baselines, which a correction must beat: how a recipe names them, and a network that does not see marked inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.feedback.masks import Masks
from corrigible.protocols.schedule import MOST, require_range

BASELINE_SETTINGS = {
    "step_size": "group_dro",
    "identification_epochs": "just_train_twice",
    "upweight": "just_train_twice",
}


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The settings of a baseline as a recipe gives them."""

    name: Literal["fine_tuned", "masked_inputs", "retrained", "group_dro", "just_train_twice", "last_layer_retraining"]
    label: str = ""
    """The baseline's name in tables; if empty, ``name``."""
    split: str = "train"
    """The split it is trained on; for last_layer_retraining, the split that the last layer is trained on."""
    step_size: float = 0.01
    """Used by group_dro only."""
    identification_epochs: int = 1
    """Used by just_train_twice only."""
    upweight: int = 20
    """Used by just_train_twice only."""

    def __post_init__(self) -> None:
        for setting, owner in BASELINE_SETTINGS.items():
            if self.name != owner and getattr(self, setting) != getattr(Baseline, setting):
                raise RecipeError(f"{setting} is a setting of {owner}, not of {self.name}; leave it out")
        require_range(self, "step_size", 0.0, 1e300)
        require_range(self, "identification_epochs", 1, MOST)
        require_range(self, "upweight", 1, MOST)


class MaskedInputs(nn.Module):
    """A network whose marked inputs are set to 0 before it runs, so that it never sees them.

    For a table this amounts to dropping the column: it is 0 in training and in use, so neither the weights nor the
    predictions depend on its values.
    """

    def __init__(self, network: nn.Module, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.visible: Tensor
        self.register_buffer("visible", torch.ones(tuple(input_shape)))

    def hide(self, irrelevant: Bool[Tensor, " *input"]) -> None:
        """Set these inputs to 0 from now on."""
        self.visible.masked_fill_(irrelevant.to(self.visible.device), 0.0)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        output: Tensor = self.network(x * self.visible.to(x.dtype))
        return output


def marked_anywhere(masks: Masks) -> Bool[Tensor, " *input"]:
    """True where an input is marked on any row."""
    return torch.stack([masks.everywhere, *masks.by_class.values(), *masks.by_row.values()]).any(dim=0)
