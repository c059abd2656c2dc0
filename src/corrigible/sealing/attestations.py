"""The attestations of a sealed folder: signed statements about how its model was made and measured.

Each lies in a folder of its own, ``attestations/0001/evidence.sig`` and so on, with a report beside it where one was
written later than the seal. All are about the subject of ``model.sig``. The predicate, of type
``https://corrigible/evidence/v1``, has

* ``number`` and ``previous``: its place in the chain, and the SHA-256 of the file before it: of ``model.sig`` for the
  first, of the attestation before it for others;
* ``made``: when; ``root`` and ``parent``: the root of the seal, and that of the seal before it;
* ``data``, ``feedback``, ``recipe``, ``code``: hashes of the data, of what people said up to which revision, of the
  recipe, and of the source files of the code that it names;
* ``measurements``, ``report``, ``environment``: what was measured, the report's path and hash, and the versions.

What is not known is null, never left out. A seal stays as it was when an attestation is added to it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corrigible.errors import SealError
from corrigible.files import MOST_RECORD, MOST_RESULTS, read_bytes
from corrigible.manifest import SealedFile
from corrigible.sealing.bundles import Bundle, read_bundle
from corrigible.sealing.contents import Contents, contents_of, strict_problems
from corrigible.sealing.keys import PublicKey
from corrigible.sealing.problems import Problem
from corrigible.sealing.signatures import authenticity_problems
from corrigible.sealing.statements import read_statement
from corrigible.strict_json import described, is_whole

EVIDENCE = "https://corrigible/evidence/v1"
ATTESTATIONS = "attestations"
_ORDER = ("number", "previous", "made", "root", "parent")
_KNOWN = ("data", "feedback", "recipe", "code", "measurements", "report", "environment")
KEYS = frozenset((*_ORDER, *_KNOWN))


@dataclass(frozen=True)
class About:
    """What the attestations of a seal must be about."""

    subject: str
    signature: str
    """SHA-256 of ``model.sig``."""
    root: str
    files: Mapping[str, SealedFile]


@dataclass(frozen=True)
class Attestation:
    """An attestation as it was read; its signature is not checked."""

    path: str
    """Relative to the sealed folder."""
    sha256: str
    """Of the file."""
    bundle: Bundle
    subject: str
    predicate: Mapping[str, Any]


@dataclass
class Chain:
    """The attestations of a sealed folder, in order, and what is wrong with them."""

    attestations: list[Attestation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def path_of(number: int) -> str:
    """The path of the attestation of this number in its sealed folder."""
    return f"{ATTESTATIONS}/{number:04d}/evidence.sig"


def read_attestation(folder: Path, number: int) -> Attestation:
    """The attestation of this number in the sealed folder.

    Raises:
        SealError: there is none, or it is none of `EVIDENCE`.
    """
    path = path_of(number)
    bundle = read_bundle(folder / path)
    statement = read_statement(bundle.payload, EVIDENCE)
    if statement.predicate.keys() != KEYS:
        name = min(statement.predicate.keys() ^ KEYS)
        raise SealError(f"{described(name)} is missing or unknown; expected {', '.join(sorted(KEYS))}")
    sha256 = hashlib.sha256(read_bytes(folder / path, most=MOST_RECORD, follow_links=False)).hexdigest()
    return Attestation(path, sha256, bundle, statement.subject, statement.predicate)


def chain_of(folder: Path, about: About, key: PublicKey | None) -> Chain:
    """All attestations of a sealed folder; without a key their signatures are not checked."""
    chain = Chain()
    if (folder / ATTESTATIONS).is_symlink():
        chain.problems.append(Problem("symlink", ATTESTATIONS, "a symbolic link, which is not followed"))
        return chain
    found = contents_of(folder / ATTESTATIONS, left_out=frozenset(), largest=MOST_RESULTS)
    held = {f"{ATTESTATIONS}/{path}": sealed for path, sealed in found.files.items()}
    expected, number = set(), 1
    while path_of(number) in held or number == 1:
        expected.add(path_of(number))
        try:
            attestation = read_attestation(folder, number)
        except SealError as error:
            chain.problems.append(Problem("attestation", path_of(number), str(error)))
        else:
            previous = chain.attestations[-1].sha256 if number > 1 and chain.attestations else about.signature
            for detail in _wrong(attestation, number, previous, about):
                chain.problems.append(Problem("attestation", attestation.path, detail))
            chain.problems += authenticity_problems("attestation", attestation.path, attestation.bundle, key)
            chain.problems += _of_report(attestation, {**about.files, **held}, expected)
            chain.attestations.append(attestation)
        number += 1
    chain.problems += _of_folder(found, held.keys() - expected)
    return chain


def _wrong(found: Attestation, number: int, previous: str, about: About) -> Iterator[str]:
    predicate = found.predicate
    if found.subject != about.subject:
        yield f"it is about {found.subject}, another seal; expected {about.subject}"
    if not is_whole(predicate["number"]) or predicate["number"] != number:
        yield f"it is number {described(predicate['number'])}; expected {number}"
    if predicate["previous"] != previous:
        yield f"it follows {described(predicate['previous'])}; expected {previous}"
    if predicate["root"] != about.root:
        yield f"its root is {described(predicate['root'])}; expected {about.root}"


def _of_report(found: Attestation, files: Mapping[str, SealedFile], expected: set[str]) -> Iterator[Problem]:
    report = found.predicate["report"]
    if report is None:
        return
    if not isinstance(report, dict) or report.keys() != {"path", "sha256"} or not isinstance(report["path"], str):
        yield Problem("attestation", found.path, f"its report is {described(report)}; expected path and sha256")
        return
    path = report["path"]
    expected.add(path)
    if path not in files:
        yield Problem("missing", path, f"which {found.path} names as its report")
    elif files[path].sha256 != report["sha256"]:
        yield Problem("changed", path, f"SHA-256 {files[path].sha256}, but {found.path} names {report['sha256']}")


def _of_folder(found: Contents, unknown: set[str]) -> Iterator[Problem]:
    for problem in found.problems.values():
        yield Problem(problem.kind, f"{ATTESTATIONS}/{problem.path}".rstrip("/"), problem.detail)
    for path in sorted(unknown):
        yield Problem("added", path, "belongs to no attestation")
    yield from strict_problems(found, f"{ATTESTATIONS}/")
