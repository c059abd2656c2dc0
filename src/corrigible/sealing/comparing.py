"""What differs between two seals: their files, and what their attestations say of data, code and measurements."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corrigible.errors import ChangedError
from corrigible.manifest import read_manifest
from corrigible.sealing.attestations import Attestation, read_attestation
from corrigible.sealing.checking import compared
from corrigible.sealing.keys import PublicKey
from corrigible.sealing.problems import Verification

UNKNOWN = "not known"


@dataclass(frozen=True)
class SealDifference:
    """One thing that two seals say differently."""

    about: str
    """``order``, ``file``, ``measurement``, ``data``, ``feedback``, ``recipe``, ``code`` or ``environment``."""
    name: str
    first: str
    second: str


def seal_differences(
    first: str | Path, second: str | Path, *, key: str | Path | PublicKey | None = None
) -> tuple[SealDifference, ...]:
    """All that two sealed folders say differently, each of which must be as it was sealed.

    Of a seal with several attestations the newest counts. What only one of the two says is ``not known`` of the other.

    Args:
        key: file of the public key that must have signed both.

    Raises:
        ChangedError: one of them is not as it was sealed.
        SealError: one of them does not exist or has no readable manifest, or the key cannot be used.
    """
    folders = Path(first), Path(second)
    found = tuple(_unchanged(folder, key) for folder in folders)
    said = tuple(_newest(folder, each) for folder, each in zip(folders, found, strict=True))
    return (*_order(*found), *_files(*folders), *_said(*said))


def _unchanged(folder: Path, key: str | Path | PublicKey | None) -> Verification:
    found = compared(folder, key=key)
    if not found.ok:
        problem = found.problems[0]
        raise ChangedError(
            f"{folder} is not as it was sealed: {problem.kind} {problem.path} ({problem.detail}); compare unchanged "
            "seals",
            found.problems,
        )
    return found


def _newest(folder: Path, found: Verification) -> Mapping[str, Any]:
    """What the newest attestation says; empty for a seal without any."""
    number = len(found.heads) - 1
    attestation: Attestation | None = read_attestation(folder, number) if number else None
    return attestation.predicate if attestation else {}


def _order(found: Verification, other: Verification) -> Iterator[SealDifference]:
    """Which of the two came before the other, as far as they name each other."""
    if found.root == other.root:
        return
    is_before, is_after = found.root in other.history, other.root in found.history
    said = ("earlier", "later") if is_before else ("later", "earlier") if is_after else (UNKNOWN, UNKNOWN)
    yield SealDifference("order", "chain", *said)


def _files(first: Path, second: Path) -> Iterator[SealDifference]:
    before, after = (read_manifest(folder).files for folder in (first, second))
    for path in sorted({*before, *after}):
        shown = [files[path].sha256 if path in files else "absent" for files in (before, after)]
        if shown[0] != shown[1]:
            yield SealDifference("file", path, *shown)


def _said(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[SealDifference]:
    first, second = dict(_facts(before)), dict(_facts(after))
    for about, name in sorted({*first, *second}):
        shown = first.get((about, name), UNKNOWN), second.get((about, name), UNKNOWN)
        if shown[0] != shown[1]:
            yield SealDifference(about, name, *shown)


def _facts(said: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """What an attestation says, by what it is about and name."""
    for row in said.get("measurements") or ():
        name = " ".join(str(row[key]) for key in ("metric", "part") if row.get(key))
        yield ("measurement", name), "not measured" if row["value"] is None else str(row["value"])
    for about in ("data", "feedback", "code", "environment"):
        for name, value in (said.get(about) or {}).items():
            yield (about, name), UNKNOWN if value is None else str(value)
    if said.get("recipe"):
        yield ("recipe", "recipe.toml"), said["recipe"]
