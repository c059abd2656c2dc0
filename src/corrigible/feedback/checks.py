"""Checks of feedback before it is stored, independent of the data it is about."""

import operator
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np

from corrigible.errors import FeedbackError, unknown
from corrigible.said import Features, Feedback, Phrase, Polarity, Scope

LARGEST_INTEGER = 2**63 - 1
"""The largest integer that a database column and other readers of JSON can hold."""
MOST_DIMENSIONS = 32
"""Most dimensions of an array in every supported version of NumPy."""
MOST_WORDS = 1000
"""Most words of a phrase."""


def as_list(feedback: Any) -> list[Feedback]:
    """The feedback as a list.

    Raises:
        FeedbackError: a single one, or something else.
    """
    if isinstance(feedback, Feedback | str | Mapping) or not isinstance(feedback, Iterable):
        raise FeedbackError(
            f"feedback is a {type(feedback).__name__}; expected a list of Feedback, such as [Feedback(…)]"
        )
    found = list(feedback)
    for place, said in enumerate(found, start=1):
        if not isinstance(said, Feedback):
            raise FeedbackError(f"feedback entry {place} is a {type(said).__name__}; expected Feedback(region, …)")
    return found


def checked_all(feedback: Iterable[Feedback]) -> list[Feedback]:
    """The feedback with each entry passed through ``checked``; an error names the wrong entry, counting from 1."""
    found = []
    for place, said in enumerate(feedback, start=1):
        with naming_entry(place):
            found.append(checked(said))
    return found


def checked(said: Feedback) -> Feedback:
    """The feedback with plain integers and its time in UTC.

    Raises:
        FeedbackError: an unknown polarity or scope, a scope without its row or class, a number out of range, a time
            without time zone, text that is not text, a mask that is not boolean or has no positions, a phrase without
            words.
    """
    require_known("polarity", said.polarity, get_args(Polarity))
    require_known("scope", said.scope, get_args(Scope))
    row, label = _whole("row", said.row), _whole("label", said.label)
    if said.scope == "row" and row is None:
        raise FeedbackError("scope 'row' names no row; give row=… or scope='dataset'")
    if said.scope == "class" and label is None:
        raise FeedbackError("scope 'class' names no class; give label=…")
    for what in ("split", "author", "note"):
        require_text(what, getattr(said, what))
    require_text("fingerprint", said.fingerprint or "")
    if not said.split:
        raise FeedbackError("split is empty; expected the name of a part of the data, such as 'train'")
    _require_region(said)
    return replace(said, row=row, label=label, at=None if said.at is None else in_utc(said.at))


def in_utc(at: datetime) -> datetime:
    """The same instant in UTC.

    Raises:
        FeedbackError: the time has no time zone, or the instant lies outside the years 1 to 9999 in UTC.
    """
    if at.utcoffset() is None:
        raise FeedbackError(f"time {at.isoformat()} has no time zone; give one, as in datetime.now(UTC)")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise FeedbackError(f"time {at.isoformat()} is out of range; expected the years 1 to 9999 in UTC") from error


def require_known(what: str, found: str, known: Iterable[str]) -> None:
    """Raises FeedbackError if the word is not one of those known."""
    known = tuple(known)
    if found not in known:
        raise FeedbackError(unknown(what, shortened(found), known))


def require_text(what: str, text: object) -> None:
    """Raises FeedbackError if it is not text that can be stored."""
    if not isinstance(text, str):
        raise FeedbackError(f"{what} is a {type(text).__name__}; expected text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FeedbackError(
            f"{what} {shortened(ascii(text))} holds half a character; expected valid Unicode"
        ) from error


def shortened(found: object) -> str:
    """The value shortened to a few characters, for a message."""
    return found if isinstance(found, str) and len(found) <= 30 else reprlib.repr(found)


@contextmanager
def naming_entry(place: int) -> Iterator[None]:
    """A context that puts the entry's number in front of a FeedbackError's message."""
    try:
        yield
    except FeedbackError as error:
        raise FeedbackError(f"feedback entry {place}: {error}") from error


def _whole(what: str, value: object) -> int | None:
    if value is None:
        return None
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError(what)
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise FeedbackError(f"{what} is {shortened(value)}; expected a whole number") from error
    if not 0 <= number <= LARGEST_INTEGER:
        raise FeedbackError(f"{what} is {reprlib.repr(number)}; expected a whole number from 0 to 2**63 - 1")
    return number


def _require_region(said: Feedback) -> None:
    if isinstance(said.region, Features):
        for name in said.region.names:
            require_text("feature name", name)
        return
    if isinstance(said.region, Phrase):
        _require_words(said.region.words)
        return
    mask = said.region.mask
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        found = f"an array of {mask.dtype}" if isinstance(mask, np.ndarray) else f"a {type(mask).__name__}"
        raise FeedbackError(f"mask is {found}; expected a boolean array")
    if not mask.size or not 1 <= mask.ndim <= MOST_DIMENSIONS:
        raise FeedbackError(f"mask has shape {mask.shape}; expected the shape of one input, with at least one position")


def _require_words(words: tuple[str, ...]) -> None:
    if not isinstance(words, tuple) or not 1 <= len(words) <= MOST_WORDS:
        found = f"{len(words)} words" if isinstance(words, tuple) else f"a {type(words).__name__}"
        raise FeedbackError(f"the phrase is {found}; expected 1 to {MOST_WORDS}")
    for word in words:
        require_text("word", word)
        if not word or word != "".join(word.split()):
            raise FeedbackError(f"word {shortened(word)!r} of a phrase is empty or holds a space; give word by word")
