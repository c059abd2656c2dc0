"""What is signed: in-toto statements about a sealed folder.

The first is that of OpenSSF Model Signing, version 1.0 (docs/model_signing_format.md in sigstore/model-transparency):
its predicate lists each file with its SHA-256, and its subject is the SHA-256 of these hashes, as bytes, in the order
of the list. Others, of our own, are about the same subject; see `attestations`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corrigible.errors import SealError
from corrigible.folders import require_plain
from corrigible.strict_json import described, parse

STATEMENT = "https://in-toto.io/Statement/v1"
MODEL_SIGNING = "https://model_signing/signature/v1.0"


@dataclass(frozen=True)
class Statement:
    """An in-toto statement about one subject."""

    kind: str
    """The type of its predicate."""
    subject: str
    """SHA-256 of what it is about."""
    predicate: Mapping[str, Any]


@dataclass(frozen=True)
class Listed:
    """The files that a model signature lists."""

    files: Mapping[str, str]
    """SHA-256 of each by its path in the folder."""
    ignored: tuple[str, ...]
    """Paths of files, or of folders with all that they hold, which it does not cover."""
    subject: str


def statement_as_bytes(statement: Statement, name: str) -> bytes:
    """The statement as JSON; `name` is the folder's, for readers alone."""
    written = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": statement.subject}}],
        "predicateType": statement.kind,
        "predicate": statement.predicate,
    }
    return json.dumps(written, indent=1, ensure_ascii=False, allow_nan=False).encode()


def listing(files: Mapping[str, str], ignored: tuple[str, ...]) -> Statement:
    """The statement of OpenSSF Model Signing that these files, by path and SHA-256, are all but those ignored."""
    resources = [{"name": path, "algorithm": "sha256", "digest": files[path]} for path in sorted(files)]
    serialization = {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
        "ignore_paths": sorted(ignored),
    }
    predicate = {"serialization": serialization, "resources": resources}
    return Statement(MODEL_SIGNING, _subject([files[path] for path in sorted(files)]), predicate)


def read_statement(payload: bytes, kind: str) -> Statement:
    """The statement in a payload, whose predicate must be of this type.

    Raises:
        SealError: it is no in-toto statement of that type about one subject.
    """
    try:
        whole = parse(payload.decode())
    except ValueError as error:
        raise SealError(f"its statement is no JSON: {error}") from error
    if not isinstance(whole, dict) or whole.get("_type") != STATEMENT:
        raise SealError(f"it holds no statement of type {STATEMENT}")
    if whole.get("predicateType") != kind:
        raise SealError(f"it is a statement of type {described(whole.get('predicateType'))}; expected {kind}")
    try:
        (subject,) = whole["subject"]
        digest = subject["digest"]["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise SealError("its statement has not exactly one subject with a SHA-256") from error
    if not isinstance(whole.get("predicate"), dict):
        raise SealError("its statement has no predicate")
    return Statement(kind, _require_hash("of the subject", digest), whole["predicate"])


def listed_in(statement: Statement) -> Listed:
    """The files that a model signature lists.

    Raises:
        SealError: it is of another form than one SHA-256 for each file, or contradicts itself.
    """
    how = statement.predicate.get("serialization")
    if not isinstance(how, dict) or (how.get("method"), how.get("hash_type")) != ("files", "sha256"):
        raise SealError("it does not list one SHA-256 for each file; expected method 'files' with hash_type 'sha256'")
    if how.get("allow_symlinks") is not False:
        raise SealError("it follows symbolic links, which is not supported; sign a copy without links")
    ignored, resources = how.get("ignore_paths", []), statement.predicate.get("resources")
    if not isinstance(ignored, list) or not all(isinstance(path, str) for path in ignored):
        raise SealError(f"ignore_paths is {described(ignored)}; expected a list of paths")
    if not isinstance(resources, list):
        raise SealError(f"resources is {described(resources)}; expected a list")
    files = dict(map(_resource, resources))
    if len(files) != len(resources):
        raise SealError("it lists a file twice")
    if _subject(list(files.values())) != statement.subject:
        raise SealError("its subject is not the hash of the files that it lists")
    return Listed(files, tuple(ignored), statement.subject)


def _resource(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise SealError("a resource has no name")
    if entry.get("algorithm") != "sha256":
        raise SealError(
            f"{described(entry['name'])} has algorithm {described(entry.get('algorithm'))}; expected sha256"
        )
    try:
        require_plain(entry["name"])
    except ValueError as error:
        raise SealError(str(error)) from error
    return entry["name"], _require_hash(f"of {described(entry['name'])}", entry.get("digest"))


def _require_hash(what: str, found: Any) -> str:
    if not isinstance(found, str) or len(found) != 64 or set(found) - set("0123456789abcdef"):
        raise SealError(f"the SHA-256 {what} is {described(found)}; expected 64 hexadecimal digits")
    return found


def _subject(digests: list[str]) -> str:
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
