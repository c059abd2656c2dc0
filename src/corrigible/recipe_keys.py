"""The parts of a recipe, and the types of their content."""

from collections.abc import Mapping
from typing import Any

from corrigible.errors import RecipeError, unknown

RECIPE_FORMAT = 1
EXPECTED: dict[str, type] = {
    "format": int,
    "title": str,
    "notes": list,
    "seed": int,
    "validation_split": str,
    "data": dict,
    "task": dict,
    "model": dict,
    "train": dict,
    "correct": dict,
    "augment": list,
    "penalty": list,
    "baseline": list,
    "explain": dict,
    "evaluate": dict,
}


def check_keys(content: Mapping[str, Any]) -> None:
    """Raises RecipeError for a part of a recipe that is unknown, missing or of the wrong type, and a newer format."""
    version = content.get("format")
    if isinstance(version, int) and not 1 <= version <= RECIPE_FORMAT:
        raise RecipeError(
            f"recipe format {version}; this version reads 1 to {RECIPE_FORMAT}: upgrade corrigible if it is newer"
        )
    for name, value in content.items():
        if name not in EXPECTED:
            raise RecipeError(unknown("part of a recipe", name, EXPECTED))
        if type(value) is not EXPECTED[name]:
            raise RecipeError(f"{name} is {value!r}; expected a {_WORDS[EXPECTED[name]]}")
        if name in ("augment", "penalty", "baseline") and not all(isinstance(entry, dict) for entry in content[name]):
            raise RecipeError(f"{name} is {value!r}; expected tables, written [[{name}]]")
    for name in ("format", "data", "model"):
        if name not in content:
            raise RecipeError(f"the recipe has no {name}; expected format = {RECIPE_FORMAT}, [data] and [model]")
    if not 0 <= content.get("seed", 0) < 2**31:
        raise RecipeError(f"seed is {content['seed']}; expected a number from 0 to {2**31 - 1}")


_WORDS: dict[type, str] = {int: "whole number", str: "text", dict: "table, written [name]", list: "list"}


def notes_of(notes: list[Any]) -> tuple[str, ...]:
    """The notes, if they are texts; otherwise raises RecipeError."""
    if not all(isinstance(note, str) for note in notes):
        raise RecipeError(f"notes is {notes!r}; expected a list of texts")
    return tuple(notes)
