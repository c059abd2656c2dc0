"""How the types of the package are checked while the tests run; to be imported before the package.

jaxtyping's import hook puts ``jaxtyping.jaxtyped(typechecker=...)`` on every function. jaxtyping's own binds and checks
the arguments of each call twice, and compiles two checks whenever a function inside another is defined, which was a
third of what the tests took. Here beartype wraps each function once, and sizes of named dimensions are remembered
during a call where the annotations name any.
"""

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from inspect import isgeneratorfunction
from types import CellType, FunctionType
from typing import Any

import jaxtyping
from beartype import beartype

_jaxtyped = jaxtyping.jaxtyped
_inner: dict[object, Callable[..., Any]] = {}
"""Where a function inside another is defined -> what checks its calls, given the function as ``__beartype_func``."""


def checked(defined: Any) -> Any:
    """A function or class whose calls are checked."""
    if isinstance(defined, type):
        if is_dataclass(defined) and not hasattr(defined.__init__, "__wrapped__"):
            defined.__init__ = checked(defined.__init__)  # type: ignore[misc]
        return defined
    quoted = any(isinstance(annotation, str) for annotation in defined.__annotations__.values())
    if quoted or isgeneratorfunction(defined):  # which runs on after its call, when sizes may be those of another
        return _jaxtyped(defined, typechecker=beartype)
    return _checked_inside(defined) if "<locals>" in defined.__qualname__ else _compiled(defined)


def _compiled(function: FunctionType) -> Callable[..., Any]:
    check = beartype(function)
    if "jaxtyping." not in repr(function.__annotations__):
        return check

    @wraps(check)
    def call(*args: Any, **settings: Any) -> Any:
        with _jaxtyped("context"):
            return check(*args, **settings)

    return call


def _checked_inside(function: FunctionType) -> Callable[..., Any]:
    key = function.__module__, function.__qualname__, function.__code__
    if key not in _inner:
        _inner[key] = _compiled(_hollow(function))
    check = _inner[key]
    if not hasattr(check, "__wrapped__"):  # no annotation says anything
        return function

    @wraps(function)
    def call(*args: Any, **settings: Any) -> Any:
        return check(*args, __beartype_func=function, **settings)

    return call


def _hollow(function: FunctionType) -> FunctionType:
    """The function without what it has enclosed, which would live as long as the check."""
    cells = tuple(CellType() for _ in function.__code__.co_freevars)
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, None, cells)
    copy.__annotations__, copy.__qualname__ = function.__annotations__, function.__qualname__
    return copy


jaxtyping.jaxtyped = lambda typechecker: checked
