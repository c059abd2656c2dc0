"""What is seen when a model runs on its first row: in which precision it computes, and whether it looks up tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.networks import hookable
from corrigible.tensors import is_half, plain_name


@dataclass
class FirstRow:
    """What the layers of a model did with one row."""

    halves: dict[str, torch.dtype] = field(default_factory=dict)
    """Layers, weights or outputs in less than single precision, by name."""
    embedding: str | None = None
    """The embedding that was entered last and did not finish."""

    def require_precision(self) -> None:
        """Raises UnsupportedModelError for a model that computes in half precision."""
        for name, dtype in self.halves.items():
            raise UnsupportedModelError(
                f"{name} is in half precision ({plain_name(dtype)}), in which gradients and small changes vanish; "
                "expected float32: give model.float(), without autocast or .half() inside"
            )

    def require_no_tokens(self, error: Exception) -> None:
        """Raises UnsupportedModelError if an embedding could not look up what it was given."""
        if self.embedding is not None:
            layer = self.embedding
            raise UnsupportedModelError(
                f"layer {layer!r} is an embedding of whole numbers, such as token ids, which do not change a little; "
                f"explain the embedded sequence: start = model.get_submodule({layer!r})(ids), "
                f"model.set_submodule({layer!r}, torch.nn.Identity()), then give model and start"
            ) from error


@contextmanager
def watched(model: nn.Module) -> Iterator[FirstRow]:
    """A context in which the layers of the model are watched."""
    seen = FirstRow({f"weight {name!r}": p.dtype for name, p in model.named_parameters() if is_half(p.dtype)})
    hooks = []
    for name, module in hookable(model):
        hooks.append(module.register_forward_hook(partial(_left, seen, name)))
        if isinstance(module, nn.Embedding | nn.EmbeddingBag):
            hooks.append(module.register_forward_pre_hook(partial(_entered, seen, name)))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _entered(seen: FirstRow, name: str, module: nn.Module, arguments: Any) -> None:
    seen.embedding = name


def _left(seen: FirstRow, name: str, module: nn.Module, arguments: Any, output: Any) -> None:
    seen.embedding = None
    if isinstance(output, Tensor) and is_half(output.dtype):
        seen.halves.setdefault(f"the output of layer {name!r}" if name else "the output of the model", output.dtype)
