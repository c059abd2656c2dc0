"""Refuse to train through checkpoints that drop gradients.

``torch.utils.checkpoint`` with use_reentrant=True gives the weights inside no gradient unless its input needs one, with
no more than a warning. In training, the input usually needs none.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.utils.checkpoint import CheckpointFunction

from corrigible.errors import UnsupportedModelError
from corrigible.models.networks import hookable
from corrigible.models.remedies import THROUGH_CHECKPOINTS

_FORWARD = CheckpointFunction.forward.__code__


@contextmanager
def refusing_checkpoints(model: nn.Module) -> Iterator[None]:
    """A context in which an UnsupportedModelError is raised where a layer runs inside such a checkpoint."""
    hooks = [module.register_forward_pre_hook(_refuse) for _, module in hookable(model)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _refuse(module: nn.Module, arguments: Any) -> None:
    frame = sys._getframe(1)
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code is _FORWARD:
            raise UnsupportedModelError(THROUGH_CHECKPOINTS)
