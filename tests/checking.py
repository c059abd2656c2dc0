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
from jaxtyping._storage import _shape_storage, pop_shape_memo, push_shape_memo
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
    if not all(re.fullmatch(r"\w+( \| None)?", annotation) for annotation in quoted):
        return _jaxtyped(defined, typechecker=beartype)
    if "jaxtyping." not in repr(defined.__annotations__):
        return beartype(defined)
    if isgeneratorfunction(defined):  # which runs on after its call, when sizes may be those of another
        return _jaxtyped(defined, typechecker=beartype)
    return _compiled(defined)


def _compiled(function: FunctionType) -> Callable[..., Any]:
    check = beartype(function)
    names = _jaxtyped("context")

    @wraps(check)
    def call(*args: Any, **settings: Any) -> Any:
        with names:
            return check(*args, **settings)

    return call


def _accepts(annotation: Any, value: Any) -> bool:
    """Whether the value is what is annotated, with sizes that agree with those of the call so far."""
    if not isinstance(value, Tensor) or not _is_plain(annotation):
        return _jaxtypings(annotation, value)
    asked = (annotation, type(value), value.dtype, value.shape)
    if asked not in _sizes and not _is_remembered(asked, value):
        return _jaxtypings(annotation, value)
    one, several = _sizes[asked]
    stack = getattr(_shape_storage, "memo_stack", None)
    if not stack:
        return True
    known_one, known_several = stack[-1][:2]
    for sizes, known in ((one, known_one), (several, known_several)):
        for name, size in sizes.items():
            if known.get(name, size) != size:
                return _jaxtypings(annotation, value)
    known_one.update(one)
    known_several.update(several)
    return True


@cache
def _is_plain(annotation: Any) -> bool:
    """Whether names, sizes and gaps are all that it holds: no expressions, nothing that is broadcast."""
    return re.fullmatch(r"[\w\s.*]*", annotation.dim_str) is not None


def _is_remembered(asked: tuple[Any, ...], value: Tensor) -> bool:
    one, several, *_ = push_shape_memo({})
    try:
        if not _jaxtypings(asked[0], value):
            return False
        _sizes[asked] = dict(one), dict(several)
        return True
    finally:
        pop_shape_memo()


_MetaAbstractArray.__instancecheck__ = _accepts
jaxtyping.jaxtyped = lambda typechecker: checked
for _name in ("_get_protocol_attrs", "_is_callable_members_only"):
    if hasattr(typing, _name):
        setattr(typing, _name, cache(getattr(typing, _name)))
