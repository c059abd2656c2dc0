"""The parts of a recipe, and the types of their content; nothing that a recipe names is looked up here."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from corrigible.errors import RecipeError, unknown

RECIPE_FORMAT = 1
USUAL_EXPLAINER = "input_gradient"
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
    "labels": dict,
    "causes": dict,
    "counterfactuals": dict,
}


@dataclass(frozen=True)
class Heading:
    """The parts of a recipe that reports and seals show."""

    title: str
    notes: tuple[str, ...]
    seed: int
    kind: str
    source: str | None
    explainer: str
    labels: Mapping[str, str]
    """The words for columns, categories and classes, in place of their names."""


def heading_of(text: str) -> Heading:
    """The parts of the recipe that reports and seals show.

    Raises:
        RecipeError: the text is no recipe.
    """
    content = content_of(text)
    data, explainer = content["data"], content.get("explain", {}).get("method", USUAL_EXPLAINER)
    for name, value in (("[data] kind", data.get("kind")), ("[explain] method", explainer)):
        if not isinstance(value, str):
            raise RecipeError(f"{name} is {value!r}; expected a name")
    notes = notes_of(content.get("notes", []))
    source, labels = data.get("source"), labels_of(content.get("labels", {}))
    return Heading(content.get("title", ""), notes, content.get("seed", 0), data["kind"], source, explainer, labels)


def content_of(text: str) -> dict[str, Any]:
    """The parts of the recipe as they were written.

    Raises:
        RecipeError: the text is not TOML, has a newer format, lacks a part, has an unknown one or one of the wrong
            type, or holds a whole number of more than 64 bits.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of thousands of digits.
        raise RecipeError(f"recipe.toml is not valid TOML: {error}") from error
    check_keys(content)
    for name, number in _whole_numbers("recipe", content):
        if abs(number) >= 2**63:
            raise RecipeError(f"{name} is {number}; expected a number of at most 64 bits")
    return content


def _whole_numbers(name: str, content: Any) -> Iterator[tuple[str, int]]:
    """Each whole number with the name of its setting."""
    if isinstance(content, int):
        yield name, content
    elif isinstance(content, dict):
        yield from (found for key, value in content.items() for found in _whole_numbers(key, value))
    elif isinstance(content, list):
        yield from (found for value in content for found in _whole_numbers(name, value))


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


def labels_of(labels: Mapping[str, Any]) -> Mapping[str, str]:
    """The words of the part ``[labels]``: a column, a class or ``"column=category"`` -> what reports call it.

    Raises:
        RecipeError: something other than text, or the same words for two columns or two classes.
    """
    for name, words in labels.items():
        if not isinstance(words, str) or not words.strip():
            raise RecipeError(f"[labels] {name!r} is {words!r}; expected the words that a reader is shown")
    plain = [name for name in labels if "=" not in name]
    twice = next((name for name in plain if [labels[other] for other in plain].count(labels[name]) > 1), None)
    if twice is not None:
        raise RecipeError(f"[labels] calls two names {labels[twice]!r}; expected words that tell them apart")
    return dict(labels)


def notes_of(notes: list[Any]) -> tuple[str, ...]:
    """The notes, if they are texts; otherwise raises RecipeError."""
    if not all(isinstance(note, str) for note in notes):
        raise RecipeError(f"notes is {notes!r}; expected a list of texts")
    return tuple(notes)
