"""Add what was measured later to a signed seal, which stays as it was."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corrigible.errors import ChangedError, SealError
from corrigible.files import MOST_RECORD, read_bytes
from corrigible.folders import new_folder, remove_abandoned
from corrigible.manifest import read_manifest
from corrigible.sealing.attestations import ATTESTATIONS, EVIDENCE, path_of
from corrigible.sealing.bundles import signed_bundle
from corrigible.sealing.checking import compared
from corrigible.sealing.evidence import Provenance, evidence_of
from corrigible.sealing.keys import PrivateKey, read_private_key
from corrigible.sealing.records import read_seal_record
from corrigible.sealing.signatures import SIGNATURE, read_signature
from corrigible.sealing.statements import Statement, statement_as_bytes
from corrigible.types import Measurement

REPORT = "report.html"


@dataclass(frozen=True)
class Place:
    """Where an attestation stands."""

    number: int
    previous: str
    """SHA-256 of the file before it."""
    subject: str
    """What the model signature is about."""
    name: str
    """Of the sealed folder, for readers."""


def attest(
    folder: str | Path,
    evidence: Sequence[Measurement],
    *,
    key: str | Path,
    provenance: Provenance | None = None,
    report: bytes | None = None,
    ask: Callable[[], str] | None = None,
) -> str:
    """Add a signed attestation of these measurements to a sealed folder; return its hash, the new head.

    Nothing that was sealed is touched.

    Args:
        key: file of the private key with which the folder was sealed.
        report: a page that is kept beside the attestation.
        ask: asks for the passphrase of an encrypted key where ``CORRIGIBLE_KEY_PASSPHRASE`` is not set.

    Raises:
        SealError: the folder is not sealed with this key, there are no measurements, or the key cannot be used.
        ChangedError: the folder is not as it was sealed.
        StudyError: the folder cannot be written to.
    """
    folder, private = Path(folder), read_private_key(key, ask=ask)
    if not evidence:
        raise SealError("there are no measurements to attest; expected those that `evaluate` gives")
    remove_abandoned(folder / ATTESTATIONS)
    found = compared(folder, key=private.public)
    if not found.ok:
        first = found.problems[0]
        said = f"{first.kind} {first.path} ({first.detail})"
        raise ChangedError(f"cannot attest {folder}, which is not as this key sealed it: {said}", found.problems)
    parent = read_seal_record(folder, read_manifest(folder)).parent
    number = len(found.heads)  # The root, then one for each attestation.
    signature = read_bytes(folder / SIGNATURE, most=MOST_RECORD, follow_links=False)
    previous = found.head if number > 1 else hashlib.sha256(signature).hexdigest()
    place = Place(number, previous, read_signature(folder)[1].subject, folder.resolve().name)
    path = path_of(number)
    beside = None if report is None else (str(Path(path).parent / REPORT), report)
    said_of_it = evidence_of(evidence, provenance or Provenance(), root=found.root, parent=parent, report=beside)
    content = attestation_as_bytes(said_of_it, place, private)
    with new_folder(folder / Path(path).parent) as draft:
        (draft / Path(path).name).write_bytes(content)
        if report is not None:
            (draft / REPORT).write_bytes(report)
        for each in (draft, *draft.iterdir()):
            each.chmod(each.stat().st_mode & (0o755 if each.is_dir() else 0o644))
    return hashlib.sha256(content).hexdigest()


def attestation_as_bytes(evidence: Mapping[str, Any], place: Place, key: PrivateKey) -> bytes:
    """The file of an attestation with this evidence."""
    predicate = {"number": place.number, "previous": place.previous, **evidence}
    return signed_bundle(statement_as_bytes(Statement(EVIDENCE, place.subject, predicate), place.name), key)
