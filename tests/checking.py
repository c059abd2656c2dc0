"""How the types of the package are checked while the tests run; to be imported before the package.

jaxtyping's import hook puts ``jaxtyping.jaxtyped(typechecker=...)`` on every function. jaxtyping's own binds and checks
the arguments of each call twice, and compiles two checks whenever a function inside another is defined, which was a
third of what the tests took. Here beartype wraps each function once, sizes of named dimensions are remembered during a
call where the annotations name any, and functions inside others are left alone: those around them are checked. What
jaxtyping said of an annotation and a shape is remembered, where it depends on nothing but the sizes of the same names.
So is what a protocol asks for, which Python 3.11 finds out at every check.
"""

import re
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache, wraps
from inspect import isgeneratorfunction
from types import FunctionType
from typing import Any

import jaxtyping
from beartype import beartype
from jaxtyping._array_types import _MetaAbstractArray
from jaxtyping._storage import _shape_storage
from torch import Tensor

_jaxtyped = jaxtyping.jaxtyped
_jaxtypings = _MetaAbstractArray.__instancecheck__
_sizes: dict[tuple[Any, ...], tuple[dict[str, Any], dict[str, Any]]] = {}
"""Of an annotation and the type, dtype and shape of a tensor that fits: the sizes of names, and those of the gap."""


def checked(defined: Any) -> Any:
    """A function or class whose calls are checked."""
    if isinstance(defined, type):
        if is_dataclass(defined) and not hasattr(defined.__init__, "__wrapped__"):
            defined.__init__ = checked(defined.__init__)  # type: ignore[misc]
        return defined
    if "<locals>" in defined.__qualname__:
        return defined
    if defined.__name__ == "__init__" and defined.__module__.startswith("corrigible.estimators"):
        return defined  # Constructors of estimators take anything, as scikit-learn asks; fit refuses.
    quoted = [annotation for annotation in defined.__annotations__.values() if isinstance(annotation, str)]
    are_names = all(re.fullmatch(r"\w+( \| None)?", annotation) for annotation in quoted)
    if quoted and (not are_names or "TYPE_CHECKING" in defined.__globals__):  # which may name what is not imported
        return _jaxtyped(defined, typechecker=beartype)
    if "jaxtyping." not in repr(defined.__annotations__):
        return beartype(defined)
    if isgeneratorfunction(defined):  # which runs on after its call, when sizes may be those of another
        return _jaxtyped(defined, typechecker=beartype)
    return _compiled(defined)


def _compiled(function: FunctionType) -> Callable[..., Any]:
    check = beartype(function)

    @wraps(check)
    def call(*args: Any, **settings: Any) -> Any:
        names_of_calls = _names_of_calls()
        names_of_calls.append(({}, {}, {}, {}))
        try:
            return check(*args, **settings)
        finally:
            names_of_calls.pop()

    return call


def _names_of_calls() -> list[tuple[dict[str, Any], ...]]:
    """What jaxtyping knows in this thread: for each call that runs, the sizes of names and of gaps, and more."""
    try:
        return _shape_storage.memo_stack
    except AttributeError:
        _shape_storage.memo_stack = []
        return _shape_storage.memo_stack


def _accepts(annotation: Any, value: Any) -> bool:
    """Whether the value is what is annotated, with sizes that agree with those of the call so far."""
    try:
        sizes, gaps = _sizes[annotation, type(value), value.dtype, value.shape]
    except (KeyError, TypeError, AttributeError):
        return _accepts_new(annotation, value)
    known = _names_of_calls()
    if not known:
        return True
    known_sizes, known_gaps = known[-1][:2]
    for name, size in sizes.items():
        if known_sizes.get(name, size) != size:
            return _jaxtypings(annotation, value)
    for name, shape in gaps.items():
        if known_gaps.get(name, shape) != shape:
            return _jaxtypings(annotation, value)
    known_sizes.update(sizes)
    known_gaps.update(gaps)
    return True


def _accepts_new(annotation: Any, value: Any) -> bool:
    """The same, of a value like which none was accepted before; for tensors the sizes of names are kept."""
    if isinstance(value, Tensor) and _is_plain(annotation):
        known = _names_of_calls()
        known.append(({}, {}, {}, {}))
        try:
            if _jaxtypings(annotation, value):
                _sizes[annotation, type(value), value.dtype, value.shape] = known[-1][:2]
        finally:
            known.pop()
    return _jaxtypings(annotation, value)


@cache
def _is_plain(annotation: Any) -> bool:
    """Whether names, sizes and gaps are all that it holds: no expressions, nothing that is broadcast."""
    return re.fullmatch(r"[\w\s.*]*", annotation.dim_str) is not None


_MetaAbstractArray.__instancecheck__ = _accepts
jaxtyping.jaxtyped = lambda typechecker: checked
for _name in ("_get_protocol_attrs", "_is_callable_members_only"):
    if hasattr(typing, _name):
        setattr(typing, _name, cache(getattr(typing, _name)))
