"""The reading of a training table, kept beside it with the hash of the file that it was learned from."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from corrigible.data.table_encoder import Roles, TableEncoder, from_json, to_json
from corrigible.errors import StudyError
from corrigible.files import read_text
from corrigible.folders import write_atomically
from corrigible.strict_json import parse

READING_FILE = "reading.json"
FORMAT = 1
LARGEST = 1 << 26
"""Most bytes of such a file."""


class Kept(NamedTuple):
    """A reading, and the hash of the training table that it was learned from."""

    encoder: TableEncoder
    sha256: str


def keep(folder: Path, roles: Roles, encoder: TableEncoder, sha256: str) -> None:
    """Write the reading into the folder of the tables; where that cannot be written to, it is learned each time."""
    facts = {"learned_from": sha256, "roles": _as_json(roles), "encoder": json.loads(to_json(encoder))}
    text = json.dumps({"format": FORMAT, "sha256": _hash(facts), **facts}, indent=1)
    with suppress(StudyError):
        write_atomically(folder / READING_FILE, text.encode())


def kept_reading(folder: Path, roles: Roles | None = None) -> Kept | None:
    """The reading that was kept; None if there is none, or it is damaged, or for other roles of the columns.

    It may be that of an older training table: compare the hash.
    """
    path = folder / READING_FILE
    try:
        facts = parse(read_text(path, most=LARGEST, within=folder))
        found = {name: facts[name] for name in ("learned_from", "roles", "encoder")}
        if facts["format"] != FORMAT or facts["sha256"] != _hash(found):
            return None
        if roles is not None and found["roles"] != _as_json(roles):
            return None
        return Kept(from_json(json.dumps(found["encoder"])), str(found["learned_from"]))
    except (OSError, ValueError, KeyError, TypeError):  # DataError is a ValueError.
        return None


def identity(encoder: TableEncoder) -> str:
    """A hash of all that decides what a row becomes; the same for tables that are read and encoded alike."""
    facts = json.loads(to_json(encoder))
    read = [{name: reading[name] for name in ("name", "kind", "form", "words")} for reading in facts["readings"]]
    return _hash({"features": facts["features"], "class_names": facts["class_names"], "readings": read})[:16]


def kept_identity(folder: Path) -> str:
    """The identity of the reading that was kept; empty if there is none."""
    kept = kept_reading(folder)
    return "" if kept is None else identity(kept.encoder)


def _as_json(roles: Roles) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(roles._asdict()))
    return found


def _hash(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
