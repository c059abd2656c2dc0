"""The verbs that a page may start, and their options.

Methods are the package's own, by name: nothing that a page sends names code to run.
"""

import re
from collections.abc import Mapping
from typing import Any

from corrigible.errors import FeedbackError, unknown
from corrigible.strict_json import described

VERBS: Mapping[str, tuple[str, ...]] = {
    "correct": ("epochs", "penalty", "weight", "only"),
    "evaluate": (),
    "report": (),
    "seal": ("name", "anyway"),
    "suspect": (),
    "propose": (),
}
MOST_EPOCHS = 10_000
MOST_WEIGHT = 1e12
_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,60}")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


def checked_options(verb: Any, options: Any) -> dict[str, Any]:
    """The options of a verb, checked.

    Raises:
        FeedbackError: an unknown verb or option, or a value out of range.
    """
    if not isinstance(verb, str) or verb not in VERBS:
        raise FeedbackError(unknown("verb", verb if isinstance(verb, str) else described(verb), VERBS))
    if not isinstance(options, Mapping):
        raise FeedbackError(f"options is {described(options)}; expected an object")
    found = {name: value for name, value in options.items() if value not in (None, "", [])}
    for name, value in found.items():
        if name not in VERBS[verb]:
            raise FeedbackError(unknown(f"option of {verb}", str(name), VERBS[verb]))
        if not _is_right(name, value):
            raise FeedbackError(f"{name} is {described(value)}; {_EXPECTED[name]}")
    return found


_EXPECTED = {
    "epochs": f"expected a whole number from 1 to {MOST_EPOCHS}",
    "penalty": "expected the name of a method, as `corrigible methods` lists it",
    "weight": f"expected a number above 0 and up to {MOST_WEIGHT:g}, or auto",
    "only": "expected a list of baselines by name",
    "name": "expected the name of a new folder: letters, digits, dots and hyphens",
    "anyway": "expected true or false",
}


def _is_right(name: str, value: Any) -> bool:
    match name:
        case "epochs":
            return type(value) is int and 1 <= value <= MOST_EPOCHS
        case "penalty":
            return isinstance(value, str) and bool(_PLAIN.fullmatch(value))
        case "weight":
            is_number = type(value) in (int, float) and 0 < value <= MOST_WEIGHT
            return value == "auto" or is_number
        case "only":
            return isinstance(value, list) and all(isinstance(v, str) and _PLAIN.fullmatch(v) for v in value)
        case "name":
            return isinstance(value, str) and bool(_FOLDER.fullmatch(value))
        case _:
            return type(value) is bool
