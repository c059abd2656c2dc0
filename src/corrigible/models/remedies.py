"""One line with a remedy in place of errors from deep inside PyTorch that have a known cause in the model."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from corrigible.errors import CorrigibleError, UnsupportedModelError


class _Known(NamedTuple):
    pattern: re.Pattern[str]
    """Of PyTorch's message."""
    remedy: str
    """With a place for the first sentence of that message."""


def _known(pattern: str, remedy: str) -> _Known:
    return _Known(re.compile(pattern), remedy)


_PRECISION = (
    "parts of the model have different precisions, or one that its layers do not take ({}); bring it to one that all "
    "take: model.float()"
)
THROUGH_CHECKPOINTS = (
    "the model saves memory with torch.utils.checkpoint(…, use_reentrant=True), through which gradients are lost here; "
    "call it with use_reentrant=False"
)
KNOWN = (
    _known(r"use_reentrant=True", THROUGH_CHECKPOINTS),
    _known(
        r"[Ii]nference tensor",
        "the model holds tensors made in torch.inference_mode, which allow no gradients ({}); build it outside of "
        "that, or load its weights into a network that was",
    ),
    _known(
        r"same dtype|expected scalar type|should be the same$|(?:addmm|conv|linear|softmax|relu).*not implemented for",
        _PRECISION,
    ),
    _known(
        r"same device|on different devices",
        "the model mixes devices ({}); move all of it to one: model.to(device), and tensors that forward makes to x's",
    ),
    _known(
        r"not supported on ScriptModules",
        "this needs to look into layers, and part of the model is a TorchScript program; give the original network",
    ),
    _known(
        r"support the deepcopy protocol",
        "the model cannot be copied, because it keeps a tensor with a graph; keep it detached, or, for the older "
        "weight_norm and spectral_norm, use those of torch.nn.utils.parametrizations",
    ),
    _known(
        r"cannot pickle '(?:torch\._C\.Generator|_thread|_io|module)",
        "the model cannot be copied, because it holds something that has no copy ({}); make that in forward, or give "
        "the module that holds it a method __deepcopy__",
    ),
)


@contextmanager
def remedies() -> Iterator[None]:
    """A context that replaces known errors of PyTorch by an UnsupportedModelError that says what to do."""
    try:
        yield
    except (RuntimeError, TypeError) as error:
        said = " ".join(str(error).split())
        first = said.split(". ")[0].rstrip(".")
        found = next((known for known in KNOWN if known.pattern.search(said)), None)
        if found is None or isinstance(error, CorrigibleError | torch.OutOfMemoryError):
            raise
        raise UnsupportedModelError(found.remedy.format(first)) from error
