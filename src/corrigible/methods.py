"""Find a method by name and check the settings given to it."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from corrigible.declarations import Declaration, declaration_of
from corrigible.errors import RecipeError, suggestion, unknown
from corrigible.named_functions import function_named


@dataclass(frozen=True)
class ConfiguredMethod:
    """A method with the settings given to it."""

    name: str
    function: Callable[..., Any]
    settings: Mapping[str, Any]
    what: str
    """The word for its family in messages, such as "penalty"."""

    @cached_property
    def filled(self) -> "partial[Any]":
        """The function with its settings.

        Raises:
            RecipeError: a setting that the function does not have, or a value of the wrong type.
        """
        return with_settings(self.function, self.settings, f"{self.what} {self.name!r}")

    @property
    def declaration(self) -> Declaration:
        return declaration_of(self.function)

    def given(self, facts: Mapping[str, Any]) -> "ConfiguredMethod":
        """The method with additional settings."""
        return replace(self, settings={**self.settings, **facts})


def method_of(
    method: str | Callable[..., Any], settings: Mapping[str, Any], family: Mapping[str, Callable[..., Any]], what: str
) -> ConfiguredMethod:
    """The method of that name, or the function itself, with its settings checked.

    Raises:
        RecipeError: nothing has that name, or a setting is unknown or of the wrong type.
    """
    found = ConfiguredMethod(name_of(method), method_named(method, family, what), settings, what)
    _ = found.filled
    return found


def method_said(given: Mapping[str, Any], family: Mapping[str, Callable[..., Any]], what: str) -> ConfiguredMethod:
    """The family's member that {"name": …, setting: …} says, with its settings checked.

    Raises:
        RecipeError: no name, nothing has that name, or a setting is unknown or of the wrong type.
    """
    if "name" not in given:
        raise RecipeError(f'{what} is {dict(given)}; expected {{"name": …, setting: …}}')
    settings = {name: value for name, value in given.items() if name != "name"}
    return method_of(given["name"], settings, family, what)


def name_of(method: str | Callable[..., Any]) -> str:
    """The method's name, for results and messages."""
    if isinstance(method, partial):
        return name_of(method.func)
    return method if isinstance(method, str) else getattr(method, "__name__", type(method).__name__)


def method_named(
    name: str | Callable[..., Any], family: Mapping[str, Callable[..., Any]], what: str
) -> Callable[..., Any]:
    """The family's member of that name, or the user's own function for a name like ``my_module:my_function``.

    A function stays as it is.

    Raises:
        RecipeError: nothing has that name.
        NamedFunctionError: the user's module failed while it was imported.
    """
    if not isinstance(name, str):
        if not callable(name):
            raise RecipeError(f"{what} is a {type(name).__name__}; expected a name or a function")
        return name
    if name in family:
        return family[name]
    if ":" not in name:
        raise RecipeError(unknown(what, name, family))
    return function_named(name, what)


def settings_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The settings of a method and their defaults; ``inspect.Parameter.empty`` marks a required setting."""
    return {p.name: p.default for p in _parameters(function) if p.kind is p.KEYWORD_ONLY}


@lru_cache(maxsize=256)
def _parameters(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(function).parameters.values())


def with_settings(function: Callable[..., Any], settings: Mapping[str, Any], what: str) -> "partial[Any]":
    """The function with these settings filled in.

    Raises:
        RecipeError: a setting that the function does not have, or a value of the wrong type.
    """
    annotations = {p.name: p.annotation for p in _parameters(function)}
    for name, value in settings.items():
        if name not in settings_of(function):
            raise RecipeError(f"{what}: {unknown('setting', name, settings_of(function))}")
        _check(value, annotations[name], f"{what}: setting {name!r}")
    return partial(function, **{name: _as_annotated(value, annotations[name]) for name, value in settings.items()})


def _check(value: Any, annotation: Any, what: str) -> None:
    """Checks plain values against plain annotations; anything else is left to the function."""
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    if choices and value not in choices:
        raise RecipeError(
            f"{what} is {value!r}; {_nearest(value, choices)}expected one of {', '.join(map(repr, choices))}"
        )
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    lists = [kind for kind in kinds if get_origin(kind) is Sequence]
    if len(lists) == 1 and all(kind in (*lists, NoneType, str) for kind in kinds):
        if type(value) not in kinds:  # None, or one text in place of a list of texts.
            _check_each(value, get_args(lists[0])[0], what)
        return
    if get_origin(annotation) is Mapping and not isinstance(value, Mapping):
        raise RecipeError(f"{what} is {value!r}; expected a table, name = …")
    plain = (bool, int, float, str, NoneType)
    if not all(kind in plain for kind in kinds):
        return
    is_number = isinstance(value, int) and not isinstance(value, bool) and float in kinds
    if type(value) not in kinds and not is_number:
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise RecipeError(f"{what} is {value!r}; expected {expected}")


def _nearest(value: Any, choices: tuple[Any, ...]) -> str:
    texts = [choice for choice in choices if isinstance(choice, str)]
    return suggestion("choice", value, texts) if isinstance(value, str) else ""


def _check_each(values: Any, annotation: Any, what: str) -> None:
    if not isinstance(values, list | tuple):
        raise RecipeError(f"{what} is {values!r}; expected a list")
    for value in values:
        _check(value, annotation, f"{what}: one of {values!r}")


def _as_annotated(value: Any, annotation: Any) -> Any:
    """A whole number where only a float is expected becomes one."""
    is_whole = annotation is float and type(value) is int
    return float(value) if is_whole and abs(value) <= sys.float_info.max else value
