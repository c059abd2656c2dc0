"""The record of a run, ``run.json``, as bytes that end with their own hash."""

import hashlib
import json
from collections.abc import Mapping
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
