"""What a seal says of itself, in ``sealed.json``: when, by which version, after which seals, and who signed it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corrigible import __version__
from corrigible.files import MOST_RECORD, read_bytes
from corrigible.manifest import Manifest
from corrigible.strict_json import parse

SEALED = "sealed.json"


@dataclass(frozen=True)
class SealRecord:
    """What a seal says of itself."""

    created: str = ""
    history: tuple[str, ...] = ()
    """Roots of the seals before it and hashes of their attestations, oldest first."""
    signer: str = ""
    """SHA-256 of the public key; empty for a seal that is not signed."""
    parent: str | None = None
    """Root of the seal before it."""


def record_now(parent: str | None, history: tuple[str, ...], signer: str) -> bytes:
    """The content of ``sealed.json`` for a seal that is made now."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    written = {
        "created": created,
        "corrigible": __version__,
        "parent": parent,
        "history": list(history),
        "signer": signer or None,
    }
    return json.dumps(written, indent=2).encode()


def read_seal_record(folder: Path, manifest: Manifest) -> SealRecord:
    """What the seal says of itself; of older seals, and of files that are damaged, an empty record.

    A damaged file is found by its hash; what is read here is not yet checked.
    """
    if SEALED not in manifest.files:
        return SealRecord(created=manifest.uncovered.get("created", ""))
    try:
        whole = parse(read_bytes(folder / SEALED, most=MOST_RECORD, follow_links=False).decode())
    except (OSError, ValueError):
        return SealRecord()
    if not isinstance(whole, dict):
        return SealRecord()
    history = whole.get("history")
    return SealRecord(
        created=_text(whole.get("created")),
        history=tuple(map(_text, history)) if isinstance(history, list) else (),
        signer=_text(whole.get("signer")),
        parent=_text(whole.get("parent")) or None,
    )


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""
