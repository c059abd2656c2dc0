"""The reading of a training table, kept beside it with the hash of the file that it was learned from."""

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from corrigible.data.kept_facts import FORMAT, hash_of, kept_facts, roles_as_json
from corrigible.data.kept_facts import READING_FILE as READING_FILE
from corrigible.data.table_encoder import Roles, TableEncoder, from_json, to_json
from corrigible.errors import DataError, StudyError
from corrigible.folders import write_atomically


class Kept(NamedTuple):
    """A reading, and the hash of the training table that it was learned from."""

    encoder: TableEncoder
    sha256: str


def keep(folder: Path, roles: Roles, encoder: TableEncoder, sha256: str) -> None:
    """Write the reading into the folder of the tables; where that cannot be written to, it is learned each time."""
    facts = {"learned_from": sha256, "roles": roles_as_json(roles), "encoder": json.loads(to_json(encoder))}
    text = json.dumps({"format": FORMAT, "sha256": hash_of(facts), **facts}, indent=1)
    with suppress(StudyError):
        write_atomically(folder / READING_FILE, text.encode())


def kept_reading(folder: Path, roles: Roles | None = None) -> Kept | None:
    """The reading that was kept; None if there is none, or it is damaged, or for other roles of the columns.

    It may be that of an older training table: compare the hash.
    """
    found = kept_facts(folder, roles)
    try:
        return None if found is None else Kept(from_json(json.dumps(found["encoder"])), str(found["learned_from"]))
    except DataError:
        return None


def identity(encoder: TableEncoder) -> str:
    """A hash of all that decides what a row becomes; the same for tables that are read and encoded alike."""
    facts = json.loads(to_json(encoder))
    read = [{name: reading[name] for name in ("name", "kind", "form", "words")} for reading in facts["readings"]]
    return hash_of({"features": facts["features"], "class_names": facts["class_names"], "readings": read})[:16]


def kept_identity(folder: Path) -> str:
    """The identity of the reading that was kept; empty if there is none."""
    kept = kept_reading(folder)
    return "" if kept is None else identity(kept.encoder)
