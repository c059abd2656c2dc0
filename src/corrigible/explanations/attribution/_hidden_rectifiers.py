"""Rectifiers that guided backpropagation cannot guide: written out by hand, or inside code that cannot be seen.

A rule for ``relu`` misses ``x * (x > 0)``, a rectifier in a custom `torch.autograd.Function` or in compiled
code, and would give the plain gradient there. So every call in the model is watched, and the graph is looked through.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from corrigible.errors import UnsupportedModelError
from corrigible.models.nonlinear import is_replaced

ZERO_AT = {
    "ThresholdBackward": "threshold",
    "LeakyReluBackward": "negative_slope",
    "EluBackward": "alpha",
    "PreluKernelBackward": "weight",
    "RreluWithNoiseBackward": "upper",
    "HardtanhBackward": "min_val",
    "ClampBackward": "min max",
    "ClampMinBackward": "min",
    "ClampMaxBackward": "max",
    "MaximumBackward": "self other",
    "MinimumBackward": "self other",
    "FmaxBackward": "self other",
    "FminBackward": "self other",
}
"""Steps that cut at 0 if one of these saved arguments is 0."""
ALWAYS = ("ReluBackward", "AbsBackward")
"""Steps that cut at 0, or from which a cut is made: (x + |x|) / 2."""
JOINS = ("StackBackward", "CatBackward")
OF_NUMBERS = ("isnan", "isinf", "isfinite")
SIGNS = ("sign", "sgn", "heaviside")
Step = Any
"""A node of an autograd graph; those of compiled code have a type of their own."""
OF_VIEWS = ("CopySlices", "AsStridedBackward0")
"""Steps that PyTorch adds by itself where a part of a tensor is overwritten."""


class HiddenRectifiers:
    """Watches the calls of a pass, and afterwards refuses what may be a rectifier that no rule guides."""

    def __init__(self) -> None:
        self._start: Tensor | None = None
        self._carrying: list[Tensor] = []
        # Refused only after the pass: Python's operators swallow a TypeError.
        self._hidden: list[str] = []
        # By id, and kept alive, because the id of a deleted object may be reused.
        self._seen: dict[int, Step] = {}
        self._from_start: dict[int, Step] = {}
        self._without_gradient: dict[int, Tensor] = {}
        self._gates: dict[int, Tensor] = {}

    def starts_from(self, x: Tensor) -> None:
        """Name the input of the pass."""
        self._start = x

    def before(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Note whether an argument was made from x, and by what."""
        given = list(_tensors((args, kwargs)))
        for tensor in given:
            self._look_at(tensor.grad_fn)
        # Now, because the call may overwrite them.
        self._carrying = [tensor for tensor in given if self._carries(tensor) and id(tensor) not in self._gates]

    def after(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], found: Any) -> None:
        """Note what the call made, and whether it lets values pass by their own sign."""
        given = list(_tensors((args, kwargs)))
        gates = [tensor for tensor in given if id(tensor) in self._gates]
        carrying, name = self._carrying, getattr(function, "__name__", "").strip("_").partition(".")[0]
        if any(gate.numel() == tensor.numel() > 0 for gate in gates for tensor in carrying):
            self._hidden.append(f"{name} on values and a comparison of such values")
        is_derived = bool(gates or carrying or any(id(tensor) in self._without_gradient for tensor in given))
        for tensor in (*_tensors(found), *given):
            if tensor.grad_fn is not None:
                self._seen[id(tensor.grad_fn)] = tensor.grad_fn
                if carrying or gates:
                    self._from_start[id(tensor.grad_fn)] = tensor.grad_fn
        for tensor in _tensors(found) if is_derived else ():
            is_comparison = tensor.dtype == torch.bool and name not in OF_NUMBERS
            if is_comparison or name in SIGNS or (gates and not carrying):
                self._gates[id(tensor)] = tensor
            elif not tensor.requires_grad:
                self._without_gradient[id(tensor)] = tensor

    def require_none(self, outputs: Tensor) -> None:
        """Raises UnsupportedModelError if a step from x to the outputs is a rectifier that no rule guides."""
        self._look_at(outputs.grad_fn)
        steps = self._between(outputs.grad_fn)
        cuts = [node.name() for node in steps if not is_replaced(node) and (_cuts_at_0(node) or _joins_constants(node))]
        for what in (*self._hidden, *cuts):
            raise UnsupportedModelError(
                f"the model runs {what}, which may be a ReLU that guided backpropagation cannot guide: write it as "
                "nn.ReLU or torch.relu, or choose input_gradient or integrated_gradients"
            )

    def _carries(self, tensor: Tensor) -> bool:
        return tensor is self._start or id(tensor.grad_fn) in self._from_start

    def _look_at(self, node: Step) -> None:
        if node is None or id(node) in self._seen:
            return
        name = node.name().rpartition("::")[2]
        if name in OF_VIEWS:
            self._seen[id(node)] = self._from_start[id(node)] = node
            for part, _ in node.next_functions:
                self._look_at(part)
        elif self._between(node):
            self._hidden.append(f"code that cannot be seen ({name})")

    def _between(self, last: Step) -> list[Step]:
        """The steps on a way from x to this one."""
        above: dict[Step, list[Step]] = {}
        waiting, ends = [last] if last is not None else [], []
        while waiting:
            node = waiting.pop()
            if getattr(node, "variable", None) is self._start:
                ends.append(node)
            for part in _parts(node):
                if part not in above:
                    above[part] = []
                    waiting.append(part)
                above[part].append(node)
        found = dict.fromkeys(ends)
        while ends:
            new = [node for node in above.get(ends.pop(), ()) if node not in found]
            found.update(dict.fromkeys(new))
            ends.extend(new)
        return list(found)


def _parts(node: Step) -> list[Step]:
    """The steps before this one; of a call that follows a rule, only its argument's."""
    parts = node.next_functions[:1] if is_replaced(node) else node.next_functions
    return [part for part, _ in parts if part is not None]


def _cuts_at_0(node: Step) -> bool:
    name = node.name().rstrip("0123456789")
    if name in ALWAYS:
        return True
    saved = (getattr(node, f"_saved_{argument}", None) for argument in ZERO_AT.get(name, "").split())
    if "self" in ZERO_AT.get(name, ""):
        # Values computed from the input are 0 by chance, or after another rectifier; constants are not.
        sides = zip(saved, node.next_functions, strict=True)
        zeros = [(torch.as_tensor(value) == 0, part) for value, (part, _) in sides]
        return any(bool(zero.all() if part else zero.any()) for zero, part in zeros)
    return any(bool((torch.as_tensor(value) == 0).any()) for value in saved if value is not None)


def _joins_constants(node: Step) -> bool:
    """Whether this is the maximum or minimum of values and constants beside them."""
    if node.name().rstrip("0123456789") not in ("AmaxBackward", "MaxBackward", "AminBackward", "MinBackward"):
        return False
    return any(
        part.name().rstrip("0123456789") in JOINS and any(joined is None for joined, _ in part.next_functions)
        for part in _parts(node)
    )


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
