"""Read JSON written by others: ambiguous text is refused, with a one-line ValueError."""

import json
import reprlib
from typing import Any


def parse(text: str) -> Any:
    """The value written in the text.

    Raises:
        ValueError: the text is not JSON, holds NaN or Infinity, repeats a key, or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def described(value: object) -> str:
    """A few words that describe the value, for a message."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, dict) else reprlib.repr(value)


def is_whole(value: object) -> bool:
    """Whether the value is a whole number; JSON's true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"key {reprlib.repr(twice)} is given twice")
    return found
