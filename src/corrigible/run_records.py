"""The record of a run, ``run.json``, as bytes that end with their own hash; what records say of other runs."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from corrigible.files import found_hash


def record_as_bytes(record: Mapping[str, Any]) -> bytes:
    """The content of ``run.json``, which ends with its own hash."""
    written = {key: value for key, value in record.items() if key != "sha256"}
    content = json.dumps(written, indent=1).encode()
    return json.dumps({**written, "sha256": hashlib.sha256(content).hexdigest()}, indent=1).encode()


def record_hash(folder: Path) -> str:
    """The hash of the run's record, which covers all of the run."""
    return found_hash(folder / "run.json") or ""


KEEP, DISCARD = "keep", "discard"
"""Verbs whose runs say of a correction, their parent, whether it is to be used."""
FORGET = "forget"
"""The verb whose runs hold a model that takes the trained one's place."""


def decisions(records: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The latest record of ``keep`` or ``discard`` about each correction, by the correction's name."""
    return {str(record.get("parent")): record for record in records if record["verb"] in (KEEP, DISCARD)}


def discarded(records: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of the corrections that were discarded and not kept since."""
    return {name for name, record in decisions(records).items() if record["verb"] == DISCARD}
