"""What a review page asks for, checked: what comes from outside is text, a number or a list of a known form."""

import re
from collections.abc import Mapping
from typing import Any

from corrigible.errors import FeedbackError
from corrigible.feedback.checks import LARGEST_INTEGER
from corrigible.strict_json import described

KEY = re.compile(r"[0-9A-Za-z-]{8,64}")
MOST_TEXT = 2000
"""Longest author, note or search, in characters."""
MOST_LIST = 1000
MOST_DIGITS = 15
"""Most digits of a number in an address; every such number is exact in JavaScript too."""


def text_in(asked: Mapping[str, Any], name: str, *, default: str | None = None, most: int = MOST_TEXT) -> str:
    """The text of that name.

    Raises:
        FeedbackError: something else, or a text that is too long.
    """
    found = asked.get(name, default)
    if not isinstance(found, str):
        raise FeedbackError(f"{name} is {described(found)}; expected text")
    if len(found) > most:
        raise FeedbackError(f"{name} has {len(found):,} characters; expected at most {most:,}: shorten it")
    return found


def number_in(asked: Mapping[str, Any], name: str, *, default: int | None = None) -> int:
    """The whole number of that name, from 0.

    Raises:
        FeedbackError: something else.
    """
    found = asked.get(name, default)
    if type(found) is not int or not 0 <= found <= LARGEST_INTEGER:
        raise FeedbackError(f"{name} is {described(found)}; expected a whole number from 0")
    return found


def whole_number(text: str) -> int | None:
    """The number that is written in the text in at most 15 decimal digits; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None


def list_in(asked: Mapping[str, Any], name: str) -> list[Any]:
    """The list of that name; empty if there is none.

    Raises:
        FeedbackError: something else, or too many entries.
    """
    found = asked.get(name, [])
    if not isinstance(found, list) or len(found) > MOST_LIST:
        raise FeedbackError(f"{name} is {described(found)}; expected a list of at most {MOST_LIST} entries")
    return found


def texts_in(asked: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts in the list of that name.

    Raises:
        FeedbackError: something else.
    """
    return tuple(text_in({name: entry}, name) for entry in list_in(asked, name))


def numbers_in(asked: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """The whole numbers in the list of that name.

    Raises:
        FeedbackError: something else.
    """
    return tuple(number_in({name: entry}, name) for entry in list_in(asked, name))


def key_in(asked: Mapping[str, Any]) -> str:
    """The key of a request: 8 to 64 letters, digits and hyphens.

    Raises:
        FeedbackError: something else.
    """
    key = text_in(asked, "key")
    if not KEY.fullmatch(key):
        raise FeedbackError(f"key is {described(key)}; expected 8 to 64 letters, digits and hyphens, such as a UUID")
    return key


def object_in(asked: Any, what: str) -> Mapping[str, Any]:
    """The object itself.

    Raises:
        FeedbackError: something else.
    """
    if not isinstance(asked, Mapping):
        raise FeedbackError(f"{what} is {described(asked)}; expected an object")
    return asked
