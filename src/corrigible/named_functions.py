"""Functions that somebody names as ``module:function``: found, and called so that their errors say whose they are."""

import functools
import importlib
import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from corrigible.declarations import ATTRIBUTE, declaration_of
from corrigible.errors import CorrigibleError, NamedFunctionError, RecipeError

_NOT_OWN = [Path(__file__).parent, *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))]
"""Folders of files that a user did not write."""


def function_named(name: str, what: str) -> Callable[..., Any]:
    """The function of this name; what it raises becomes a `NamedFunctionError`, and so does an end of the program.

    Networks and other objects with a ``forward`` of their own come back as they are.

    Raises:
        RecipeError: no such module or function, or something that cannot be called with named settings.
        NamedFunctionError: the module failed while it was imported.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise RecipeError(f"{what} is {name!r}; expected module:function, such as pricing:price")
    try:
        with _naming(f"{what} {name!r}: module {module_name!r}"):
            function = getattr(importlib.import_module(module_name), function_name)
    except NamedFunctionError as error:
        if isinstance(error.__cause__, ImportError | SyntaxError | NameError):
            found = f"{what} {name!r}: cannot import {module_name!r} ({error.__cause__}); is it on PYTHONPATH?"
            raise RecipeError(found) from error.__cause__
        if error.__cause__ is not None and own_place(error.__cause__):
            raise
        raise RecipeError(f"{what} {name!r}: module {module_name!r} has no {function_name!r}") from error.__cause__
    if not callable(function):
        raise RecipeError(f"{what} {name!r} is a {type(function).__name__}; expected a function")
    try:
        inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"{what} {name!r} does not say what it takes; expected a function written in Python"
        ) from error
    return function if hasattr(function, "forward") else _guarded(function, f"{what} {name!r}")


def _guarded(function: Callable[..., Any], said: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **settings: Any) -> Any:
        with _naming(said):
            return function(*arguments, **settings)

    setattr(call, ATTRIBUTE, declaration_of(function))
    return call


@contextmanager
def _naming(said: str) -> Iterator[None]:
    try:
        yield
    except CorrigibleError:
        raise
    except SystemExit as error:
        raise NamedFunctionError(f"{said} ended the program; expected a function that returns") from error
    except Exception as error:
        raise NamedFunctionError(f"{said} raised {described(error)}") from error


def described(error: BaseException) -> str:
    """The error's kind and text, and the line of the user's own file that it comes from."""
    place = own_place(error)
    return f"{type(error).__name__}: {error}" + (f" ({place})" if place else "")


def own_place(error: BaseException) -> str:
    """The last line that ran in a file of the user's own, such as ``rows.py, line 3, in load``; else empty."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(Path(frame.filename).is_relative_to(place) for place in _NOT_OWN)]
    own = [frame for frame in own if not frame.filename.startswith("<")]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}, in {own[-1].name}" if own else ""
