"""How the types of the package are checked while the tests run; to be imported before the package.

jaxtyping's import hook puts ``jaxtyping.jaxtyped(typechecker=...)`` on every function. jaxtyping's own binds and checks
the arguments of each call twice, and compiles two checks whenever a function inside another is defined, which was a
third of what the tests took. Here beartype wraps each function once, sizes of named dimensions are remembered during a
call where the annotations name any, and functions inside others are left alone: those around them are checked.
"""

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from inspect import isgeneratorfunction
from types import FunctionType
from typing import Any

import jaxtyping
from beartype import beartype

_jaxtyped = jaxtyping.jaxtyped


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
    quoted = any(isinstance(annotation, str) for annotation in defined.__annotations__.values())
    if quoted:
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
        with _jaxtyped("context"):
            return check(*args, **settings)

    return call


jaxtyping.jaxtyped = lambda typechecker: checked
