"""Feedback as a JSON text, to keep, send or compare line by line.

::

    {"format": "corrigible-feedback", "version": 2, "feedback": [
      {"region": {"features": ["site"]}, "polarity": "irrelevant", "scope": "dataset"},
      {"region": {"phrase": ["not", "good"]}, "polarity": "relevant", "scope": "class", "label": 0},
      {"region": {"pixels": {"shape": [2, 3], "runs": [1, 2, 3]}}, "polarity": "irrelevant", "scope": "row", "row": 7}
    ]}

``runs`` holds run lengths in row-major order: the number of unmarked positions, then of marked ones, and so on in turn;
only the first may be 0. A phrase marks its words wherever they stand side by side; version 1 has no phrases. Other keys
of an entry are ``split`` (if not ``train``), ``label``, ``fingerprint``, ``author``, ``note`` and ``at``, a time with
its zone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import FeedbackError, unknown
from corrigible.feedback.checks import (
    MOST_DIMENSIONS,
    checked,
    checked_all,
    in_utc,
    naming_entry,
    require_known,
    shortened,
)
from corrigible.printable import plural
from corrigible.said import Features, Feedback, Phrase, Pixels, Region
from corrigible.strict_json import described, is_whole, parse

FORMAT = "corrigible-feedback"
VERSION = 2
"""Version 1 has no phrases; feedback without phrases is still written as version 1."""
MOST_POSITIONS = 1_000_000_000
"""Most positions in all masks of one text, a few bytes of which could otherwise ask for any amount of memory."""
_TEXTS = ("split", "fingerprint", "author", "note")
_DEFAULTS = {field.name: field.default for field in fields(Feedback)}
_KEYS = ("region", "polarity", "scope", "row", "label", *_TEXTS, "at")


def to_json(feedback: Iterable[Feedback]) -> str:
    """The feedback as text, one entry per line.

    Raises:
        FeedbackError: an entry that is not well formed, or more than ``MOST_POSITIONS`` positions in all masks.
    """
    entries = checked_all(feedback)
    _require_few(sum(said.region.mask.size for said in entries if isinstance(said.region, Pixels)))
    version = VERSION if any(isinstance(said.region, Phrase) for said in entries) else 1
    lines = ",\n".join("  " + json.dumps(_written(said), ensure_ascii=False, allow_nan=False) for said in entries)
    return f'{{"format": "{FORMAT}", "version": {version}, "feedback": [\n{lines}\n]}}\n'


def from_json(text: str) -> list[Feedback]:
    """The feedback in a text that ``to_json`` wrote, or that a person wrote in the same format.

    Raises:
        FeedbackError: the text has another format; the message names the entry, counting from 1, what was found and
            what was expected.
    """
    entries = _entries(text)
    found = []
    num_positions = 0
    for place, entry in enumerate(entries, start=1):
        with naming_entry(place):
            num_positions += _num_positions(entry)
            _require_few(num_positions)
            found.append(_read(entry))
    return found


def _written(said: Feedback) -> dict[str, Any]:
    if isinstance(said.region, Features):
        region: dict[str, Any] = {"features": said.region.names}
    elif isinstance(said.region, Phrase):
        region = {"phrase": said.region.words}
    else:
        region = {"pixels": {"shape": said.region.mask.shape, "runs": _runs(said.region.mask)}}
    entry: dict[str, Any] = {"region": region, "polarity": said.polarity, "scope": said.scope}
    for name in ("row", "label", *_TEXTS):
        value = getattr(said, name)
        if value != _DEFAULTS[name]:
            entry[name] = value
    if said.at is not None:
        entry["at"] = said.at.isoformat()
    return entry


def _runs(mask: NDArray[np.bool_]) -> list[int]:
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]]))
    return [0, *runs.tolist()] if flat[0] else runs.tolist()


def _entries(text: str) -> list[Any]:
    try:
        whole = parse(text)
    except ValueError as error:
        raise FeedbackError(f"not JSON ({error}); expected a file of format {FORMAT!r}") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        found = f"format {described(whole.get('format'))}" if isinstance(whole, dict) else described(whole)
        raise FeedbackError(f"found {found}; expected an object with format {FORMAT!r}")
    version: Any = whole.get("version")
    if not is_whole(version) or version < 1:
        raise FeedbackError(f"version is {described(version)}; expected a whole number from 1 to {VERSION}")
    if version > VERSION:
        raise FeedbackError(
            f"version is {described(version)}; this corrigible reads versions up to {VERSION}: upgrade corrigible"
        )
    _require_keys(whole, ("format", "version", "feedback"), "key")
    return _list("feedback", whole.get("feedback"))


def _read(entry: Any) -> Feedback:
    values = _object("entry", entry, _KEYS)
    polarity, scope = (_text(name, values.get(name)) for name in ("polarity", "scope"))
    require_known("polarity", polarity, ("irrelevant", "relevant"))
    require_known("scope", scope, ("row", "class", "dataset"))
    for name in ("row", "label"):
        if name in values and not is_whole(values[name]):
            raise FeedbackError(
                f"{name} is {described(values[name])}; expected a whole number; leave it out if unknown"
            )
    optional = {name: values[name] for name in ("row", "label") if name in values}
    optional |= {name: _text(name, values[name]) for name in _TEXTS if name in values}
    if "at" in values:
        optional["at"] = _time(values["at"])
    return checked(Feedback(_region(values["region"]), polarity=polarity, scope=scope, **optional))  # type: ignore[arg-type]


def _region(value: Any) -> Region:
    if "features" in value:
        return Features(tuple(_text("feature name", name) for name in _list("features", value["features"])))
    if "phrase" in value:
        return Phrase(tuple(_text("word", word) for word in _list("phrase", value["phrase"])))
    shape, runs = value["pixels"]["shape"], _list("runs", value["pixels"].get("runs"))
    num_positions = prod(shape)
    for place, run in enumerate(runs):
        least = 1 if place else 0
        if not is_whole(run) or not least <= run <= num_positions:
            raise FeedbackError(
                f"run {place + 1} is {described(run)}; expected a whole number from {least} to {num_positions}"
            )
    if sum(runs) != num_positions:
        raise FeedbackError(f"runs add up to {sum(runs)}; shape {shape} has {plural(num_positions, 'position')}")
    marked = np.arange(len(runs)) % 2 == 1
    return Pixels(np.repeat(marked, runs).reshape(shape))


def _num_positions(entry: Any) -> int:
    """The number of positions of the entry's mask, computed before memory is allocated for it."""
    region = _object("region", _object("entry", entry, _KEYS).get("region"), ("features", "phrase", "pixels"))
    if len(region) != 1:
        raise FeedbackError(
            f"region has {plural(len(region), 'key')}; expected one of 'features', 'phrase' and 'pixels'"
        )
    if "pixels" not in region:
        return 0
    shape = _list("shape", _object("pixels", region["pixels"], ("shape", "runs")).get("shape"))
    if not 1 <= len(shape) <= MOST_DIMENSIONS:
        raise FeedbackError(f"shape has {plural(len(shape), 'size')}; expected 1 to {MOST_DIMENSIONS}")
    for size in shape:
        if not is_whole(size) or size < 1:
            raise FeedbackError(f"shape holds {described(size)}; expected whole numbers of at least 1")
    return prod(shape)


def _require_few(num_positions: int) -> None:
    if num_positions > MOST_POSITIONS:
        raise FeedbackError(
            f"the masks have more than {MOST_POSITIONS:,} positions in all; check their shapes, or use several files"
        )


def _time(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(_text("at", value))
    except FeedbackError:
        raise
    except ValueError as error:
        raise FeedbackError(f"at is {described(value)}; expected a time like '2026-01-31T12:00:00+00:00'") from error
    return in_utc(at)


def _object(what: str, value: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FeedbackError(f"{what} is {described(value)}; expected an object with {', '.join(known)}")
    _require_keys(value, known, f"key of {what}")
    return value


def _require_keys(value: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    for name in value:
        if name not in known:
            raise FeedbackError(unknown(what, shortened(name), known))


def _list(what: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise FeedbackError(f"{what} is {described(value)}; expected a list")
    return value


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FeedbackError(f"{what} is {described(value)}; expected text")
    return value
