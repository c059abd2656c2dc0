"""Laurent et al. 2023, Packed-ensembles for efficient uncertainty estimation: an ensemble inside one network.

Each layer is divided into groups, one for each member, which see nothing of each other. Members are narrower than the
network by members / alpha, so that all together compute about alpha² / members of it. Grouped
convolutions are slower than that on a CPU.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.networks import copied, network_of
from corrigible.tasks import CLASSES
from corrigible.types import Task

CONVOLUTIONS = nn.Conv1d, nn.Conv2d
NORMS = nn.BatchNorm1d, nn.BatchNorm2d


class GroupedLinear(nn.Module):
    """A linear layer for each member; inputs and outputs of the members stand one behind the other."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-1, 1) / inputs**0.5)
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-1, 1) / inputs**0.5)

    def forward(self, x: Float[Tensor, " batch inputs"]) -> Float[Tensor, " batch outputs"]:
        grouped = x.reshape(len(x), len(self.weight), -1)
        return (torch.einsum("bmi,mio->bmo", grouped, self.weight) + self.bias).flatten(1)


class Packed(nn.Module):
    """Members side by side in one network; its prediction is the mean of theirs."""

    def __init__(self, members: nn.Module, num_members: int, task: Task) -> None:
        super().__init__()
        self.members, self.num_members, self.task = members, num_members, task

    def member_outputs(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " member batch output"]:
        """The outputs of each member."""
        return self.by_member(self.members(x.repeat(1, self.num_members, *[1] * (x.ndim - 2))))

    def by_member(self, outputs: Float[Tensor, " batch _"]) -> Float[Tensor, " member batch output"]:
        """What the submodule ``members`` gives, with the members first."""
        each = outputs.reshape(len(outputs), self.num_members, -1).movedim(1, 0)
        return torch.stack([self.task.outputs(member) for member in each])

    def combined(self, outputs: Float[Tensor, " member batch output"]) -> Float[Tensor, " batch output"]:
        """The outputs whose prediction is the mean over the members."""
        return self.task.combined(outputs)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch output"]:
        return self.combined(self.member_outputs(x))


def packed(model: nn.Module, *, members: int = 4, alpha: int = 2, task: Task = CLASSES) -> Packed:
    """A packed ensemble in the model's form with fresh weights; train it with the loss ``member_task_loss``.

    Its layers are linear, convolutions over one or two dimensions, or batch normalisation; others must have no weights
    and keep channels apart. The first and the last layer with weights are taken to be those of inputs and outputs.

    Args:
        alpha: width of all members together over that of the model.

    Raises:
        UnsupportedModelError: a layer with weights of another kind, a convolution in groups, or a width that is not
            divided.
        ValueError: ``members`` or ``alpha`` below 1.
    """
    if members < 1 or alpha < 1:
        raise ValueError(f"members={members}, alpha={alpha}; expected at least 1 each")
    found = nn.Sequential(copied(network_of(model)))  # So that the model itself may be a single layer.
    named = {name: module for name, module in found.named_modules() if _has_weights(module)}
    layers = [name for name, module in named.items() if not isinstance(module, NORMS)]
    if not layers or type(named[layers[-1]]) is not nn.Linear:
        raise UnsupportedModelError(f"the model is a {type(model).__name__} whose last layer is not linear")
    for name, module in named.items():
        ends = name == layers[0], name == layers[-1]
        found.set_submodule(name, _grouped(name.partition(".")[2], module, members, alpha, *ends))
    return Packed(found[0], members, task).train(model.training)


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False)) or isinstance(module, NORMS)


def _grouped(name: str, layer: Any, members: int, alpha: int, is_first: bool, is_last: bool) -> nn.Module:
    """The layer for all members, with fresh weights."""

    def narrower(width: int, is_whole: bool = False) -> int:
        if not is_whole and width * alpha % members:
            raise UnsupportedModelError(
                f"layer {name!r} has width {width}, and {alpha}/{members} of it is no whole number; "
                "choose other members or alpha"
            )
        return width if is_whole else width * alpha // members

    first = next(layer.parameters(), torch.empty(0))
    like: dict[str, Any] = {"device": first.device, "dtype": first.dtype}
    if type(layer) is nn.Linear:
        widths = narrower(layer.in_features, is_first), narrower(layer.out_features, is_last)
        return GroupedLinear(*widths, members).to(**like)
    if type(layer) in CONVOLUTIONS and layer.groups == 1:
        of: dict[str, Any] = {key: getattr(layer, key) for key in ("stride", "padding", "dilation", "padding_mode")}
        widths = members * narrower(layer.in_channels, is_first), members * narrower(layer.out_channels)
        of |= {"groups": members, "bias": layer.bias is not None, **like}
        return (nn.Conv1d if type(layer) is nn.Conv1d else nn.Conv2d)(*widths, layer.kernel_size, **of)
    if type(layer) in NORMS:
        kind = nn.BatchNorm1d if type(layer) is nn.BatchNorm1d else nn.BatchNorm2d
        return kind(members * narrower(layer.num_features), layer.eps, layer.momentum, layer.affine, **like)
    raise UnsupportedModelError(
        f"layer {name!r} is a {type(layer).__name__}; packed ensembles are made of Linear, Conv1d, Conv2d and BatchNorm"
    )
