"""Hashes that identify a model: hashes of everything that can be hashed, without pickling anything."""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corrigible.explanations.inputs import FromFunction

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def name_of(function: Any) -> str:
    """Module and name of a function; for anything else, of its class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """SHA-256 over names, types, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in tensors:
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def model_hash(model: nn.Module) -> str:
    """A hash of a network's structure, parameters and buffers; for a function, its name and a hash of all it holds.

    The structure is what ``repr`` shows, so a rewritten ``forward`` goes unnoticed. The hash of a function covers its
    code, defaults, closure and the globals it names; that of a bound method or an object covers the name of the
    object's class and its state: numbers, texts, arrays, networks and objects of these. Functions that it names are
    hashed in the same way if they are in the same module, and otherwise by their name. What cannot be inspected is
    listed as ``by name only``.
    """
    if not isinstance(model, FromFunction):
        return _of_network(model)
    looking = _Looking(model.function)
    found = hashlib.sha256()
    for part in looking.at(model.function):
        found.update(f"{len(part)}:{part};".encode())
    unseen = f", by name only: {', '.join(sorted(looking.unseen))}" if looking.unseen else ""
    return f"{name_of(model.function)} sha256:{found.hexdigest()}{unseen}"


def _of_network(model: nn.Module) -> str:
    # Buffers that are not saved are hashed too.
    tensors = {**model.state_dict(), **dict(model.named_buffers(remove_duplicate=False))}
    structure = hashlib.sha256(ADDRESS.sub("", repr(model)).encode()).hexdigest()
    return digest((f"{structure} {name}", value) for name, value in tensors.items() if isinstance(value, Tensor))


class _Looking:
    """A walk through all that a function holds; each object is visited once."""

    def __init__(self, function: Callable[..., Any]) -> None:
        while isinstance(function, partial):
            function = function.func
        self.module = getattr(function, "__module__", None)
        self.seen: dict[int, tuple[int, Any]] = {}
        """Address -> place in the walk, and the object itself, kept so that no other object gets its address."""
        self.unseen: set[str] = set()

    def at(self, value: Any) -> Iterator[str]:
        """Text parts that identify the value."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | bytearray | np.generic):
            yield f"{type(value).__name__} {value!r}"
        elif isinstance(value, Tensor):
            yield digest([("", value)])
        elif isinstance(value, type | ModuleType | np.dtype | torch.dtype):
            yield str(value)
        elif id(value) in self.seen:
            yield f"seen {self.seen[id(value)][0]}"
        else:
            self.seen[id(value)] = len(self.seen), value
            yield name_of(value)
            yield from self._inside(value)

    def _inside(self, value: Any) -> Iterator[str]:
        if isinstance(value, nn.Module):
            yield _of_network(value)
        elif isinstance(value, np.ndarray):
            yield from self._array(value)
        elif isinstance(value, Mapping):
            yield from self._all([part for pair in value.items() for part in pair])
        elif isinstance(value, set | frozenset):
            yield from sorted(" ".join(self.at(part)) for part in value)
        elif isinstance(value, list | tuple):
            yield from self._all(value)
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, MethodType):
            yield from self._all([value.__func__, value.__self__])
        elif isinstance(value, partial):
            yield from self._all([value.func, value.args, value.keywords])
        elif isinstance(value, CodeType):
            yield from self._all([value.co_code, value.co_names, value.co_consts])
        else:
            yield from self._state(value)

    def _all(self, values: Iterable[Any]) -> Iterator[str]:
        for value in values:
            yield from self.at(value)

    def _array(self, value: NDArray[Any]) -> Iterator[str]:
        yield f"{value.dtype} {value.shape}"
        if value.dtype.names:
            yield from self._all([value[name].copy() for name in value.dtype.names])  # Not what lies between fields.
        elif value.dtype.hasobject:
            yield from self._all(value.ravel().tolist())
        else:
            yield hashlib.sha256(value.tobytes()).hexdigest()

    def _function(self, function: FunctionType) -> Iterator[str]:
        if function.__module__ != self.module:
            return
        held = inspect.getclosurevars(function)
        yield from self._all([function.__code__, function.__defaults__, function.__kwdefaults__])
        yield from self._all([dict(sorted(held.nonlocals.items())), dict(sorted(held.globals.items()))])

    def _state(self, value: Any) -> Iterator[str]:
        """The state that an object reports."""
        try:
            state = None if isinstance(value, BuiltinFunctionType) else value.__getstate__()
        except (TypeError, AttributeError, RuntimeError):  # Objects that hold files, locks or the like.
            state = None
        if state is None:
            self.unseen.add(name_of(value))
        else:
            yield from self.at(state)
