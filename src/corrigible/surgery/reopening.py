"""Limited networks from stored weights: the limits are stored with them, and so are their shapes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from corrigible.errors import DataError
from corrigible.models.networks import copied, network_of
from corrigible.surgery.limited_inputs import LimitedInputs
from corrigible.surgery.limited_units import LimitedUnits
from corrigible.surgery.replacements import Replacement
from corrigible.tasks import CLASSES
from corrigible.types import Task

OF_UNITS, OF_INPUTS = ".factor", "is_limited"
OF_LIMITS = ("values", "repeats", "start")


def limited_as(network: nn.Module, weights: Mapping[str, Tensor], *, task: Task = CLASSES) -> nn.Module:
    """A copy of the network with the limits of stored weights, into which `load_weights` then reads them.

    Args:
        network: as it was before it was limited, with any weights.
        weights: those of the limited network by name, such as ``safetensors.torch.load_file(path)``.
        task: what its outputs mean, where inputs were limited.

    Raises:
        UnsupportedModelError: the network lacks a layer whose units were limited.
        DataError: the weights of limited inputs lack a part.
    """
    opened = copied(network_of(network))
    limits_inputs = OF_INPUTS in weights
    for name in sorted(key.removesuffix(OF_UNITS) for key in weights if key.endswith(OF_UNITS)):
        layer = name.removeprefix("network.") if limits_inputs else name
        mean, factor = weights[f"{name}.mean"], weights[f"{name}{OF_UNITS}"]
        opened.set_submodule(layer, LimitedUnits(opened.get_submodule(layer), mean, factor))
    if not limits_inputs:
        return opened
    if missing := [name for name in OF_LIMITS if name not in weights]:
        raise DataError(f"the weights lack {missing[0]!r} of the limited inputs; write or copy the file again")
    replacement = Replacement(weights["values"], weights["repeats"], weights.get("slope"))
    return LimitedInputs(
        opened, weights[OF_INPUTS].to(torch.bool), replacement, num_outputs=len(weights["start"]), task=task
    )
