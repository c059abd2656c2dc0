"""What was kept beside a training table of how it is read, as it was written; it loads no PyTorch."""

import hashlib
import json
from pathlib import Path
from typing import Any

from corrigible.data.table_roles import Roles
from corrigible.files import read_text
from corrigible.strict_json import parse

READING_FILE = "reading.json"
FORMAT = 1
LARGEST = 1 << 26
"""Most bytes of such a file."""


def kept_facts(folder: Path, roles: Roles | None = None) -> dict[str, Any] | None:
    """The facts that were kept: "learned_from", "roles" and "encoder"; None if there are none, or they are damaged.

    Args:
        roles: None for whatever roles of the columns they are for.
    """
    try:
        facts = parse(read_text(folder / READING_FILE, most=LARGEST, within=folder))
        found = {name: facts[name] for name in ("learned_from", "roles", "encoder")}
        if facts["format"] != FORMAT or facts["sha256"] != hash_of(found):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if roles is None or found["roles"] == roles_as_json(roles) else None


def roles_as_json(roles: Roles) -> dict[str, Any]:
    """The roles of a table's columns as they are written."""
    found: dict[str, Any] = json.loads(json.dumps(roles._asdict()))
    return found


def hash_of(facts: dict[str, Any]) -> str:
    """The SHA-256 of facts that can be written as JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
