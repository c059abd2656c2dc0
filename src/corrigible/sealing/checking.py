"""Check a sealed folder: its files against its list, its list against what was quoted, signed and pinned."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from corrigible.errors import ChangedError, SealError
from corrigible.files import MOST_RECORD, read_bytes
from corrigible.manifest import MANIFEST, Manifest, SealedFile, manifest_as_bytes, read_manifest, root_of
from corrigible.printable import plural
from corrigible.sealing.attestations import ATTESTATIONS, About, chain_of
from corrigible.sealing.contents import contents_of, differences, strict_problems
from corrigible.sealing.keys import PublicKey, read_pinned_key
from corrigible.sealing.problems import Problem, Verification
from corrigible.sealing.records import SEALED, SealRecord, read_seal_record
from corrigible.sealing.signatures import (
    SIGNATURE,
    authenticity_problems,
    listing_problems,
    read_signature,
    unsigned,
)

IGNORED = (ATTESTATIONS, SIGNATURE)
"""What a signature of ours does not cover: itself, and what is added later, which is signed by itself."""


def verify(
    folder: str | Path, *, root: str | None = None, key: str | Path | None = None, head: str | None = None
) -> Verification:
    """The result of comparing a sealed folder with its manifest, if it is unchanged; an error if anything differs.

    Without ``root``, ``key`` and ``head``, which must come from elsewhere than the folder, this finds accidents, not
    attackers: a changed file goes unnoticed if the manifest was rewritten to match. Symbolic links are not followed,
    nothing is unpickled or run. Empty folders and permissions count in a signed seal only.

    Args:
        root: the hash that was told when it was sealed.
        key: file of the public key that must have signed the seal and its attestations. With it, a folder that was
            signed by ``model-signing`` can be checked too.
        head: a root, or the hash of an attestation, that is known to be of this seal or of one before it. It finds an
            older seal, or older attestations, in the place of newer ones.

    Raises:
        ChangedError: the folder is not as it was sealed; its ``problems`` are all that was found.
        SealError: the folder does not exist or has no readable manifest, or the key cannot be used.
    """
    found = compared(folder, root=root, key=key, head=head)
    if found.ok:
        return found
    first, others = found.problems[0], len(found.problems) - 1
    more = f" and {plural(others, 'more difference')}" if others else ""
    raise ChangedError(
        f"{folder} is not as it was sealed: {first.kind} {first.path} ({first.detail}){more}; use an unchanged copy, "
        "or seal again",
        found.problems,
    )


def compared(
    folder: str | Path, *, root: str | None = None, key: str | Path | PublicKey | None = None, head: str | None = None
) -> Verification:
    """All differences of a sealed folder from its manifest, and from what was quoted, signed and pinned; as `verify`.

    Raises:
        SealError: the folder does not exist or has no readable manifest, or the key cannot be used.
    """
    folder = Path(folder)
    public = key if key is None or isinstance(key, PublicKey) else read_pinned_key(key, folder)
    if public is not None and not (folder / MANIFEST).exists() and (folder / SIGNATURE).exists():
        return _of_others(folder, public, root, head)
    manifest = read_manifest(folder)
    record = read_seal_record(folder, manifest)
    is_signed = bool(record.signer)
    left_out = {MANIFEST, *(IGNORED if is_signed else ())} | ({SIGNATURE} if public else set())
    largest = max((sealed.num_bytes or 0 for sealed in manifest.files.values()), default=0)
    found = contents_of(folder, left_out=left_out, largest=largest)
    problems = [*found.problems.values(), *differences(manifest.files, found), *_of_manifest(manifest, root)]
    checked = _Signed(heads=[root_of(manifest.files)])
    if is_signed:
        checked = _signed(folder, manifest, public, record)
        problems += strict_problems(found)
    elif public is not None:
        checked.problems += _signed_by_others(folder, manifest, public)
    return _result(public, [*problems, *checked.problems], checked.heads, (record.history, head))


@dataclass
class _Signed:
    """What the signatures of a folder show."""

    heads: list[str]
    """Its root and the hashes of its attestations, in order."""
    problems: list[Problem] = field(default_factory=list)


def _signed(folder: Path, manifest: Manifest, key: PublicKey | None, record: SealRecord) -> _Signed:
    """Of a seal that says that it was signed: whether it was, and what is wrong with it."""
    root = root_of(manifest.files)
    found = _Signed(heads=[root])
    if key is not None and record.signer != key.fingerprint:
        detail = f"it says that the key {record.signer} signed; expected {key.fingerprint}"
        found.problems.append(Problem("signature", SEALED, detail))
    try:
        bundle, listed = read_signature(folder)
        signature = read_bytes(folder / SIGNATURE, most=MOST_RECORD, follow_links=False)
    except (SealError, OSError) as error:
        found.problems.append(unsigned(SealError(str(error))))
        return found
    if bundle.fingerprint != record.signer:
        detail = f"it names the key {bundle.fingerprint[:64]!r}; sealed.json names {record.signer}"
        found.problems.append(Problem("signature", SIGNATURE, detail))
    found.problems += authenticity_problems("signature", SIGNATURE, bundle, key)
    found.problems += listing_problems(listed, {**manifest.files, MANIFEST: _file_of(manifest)}, IGNORED)
    about = About(listed.subject, hashlib.sha256(signature).hexdigest(), root, manifest.files)
    chain = chain_of(folder, about, key)
    found.problems += chain.problems
    found.heads += [attestation.sha256 for attestation in chain.attestations]
    return found


def _signed_by_others(folder: Path, manifest: Manifest, key: PublicKey) -> Iterator[Problem]:
    """Of an unsigned seal: whether somebody signed the folder later."""
    try:
        bundle, listed = read_signature(folder)
    except SealError as error:
        yield unsigned(SealError(f"{error}; the seal was made without a key: leave out --key, or seal it with one"))
        return
    yield from authenticity_problems("signature", SIGNATURE, bundle, key, is_ours=False)
    yield from listing_problems(listed, {**manifest.files, MANIFEST: _file_of(manifest)}, listed.ignored)


def _of_others(folder: Path, key: PublicKey, root: str | None, head: str | None) -> Verification:
    """The result for a folder that another program signed, in the same format but without our manifest."""
    try:
        bundle, listed = read_signature(folder)
    except SealError as error:
        raise SealError(f"{folder / SIGNATURE} {error}") from error
    files = {path: SealedFile(sha256, None) for path, sha256 in listed.files.items()}
    left_out = {SIGNATURE, *(str(PurePosixPath(path)) for path in listed.ignored)}
    found = contents_of(folder, left_out=left_out, largest=None)
    problems = [*found.problems.values(), *differences(files, found)]
    problems += authenticity_problems("signature", SIGNATURE, bundle, key, is_ours=False)
    heads = [root_of(files)]
    problems += _of_root(heads[0], root, SIGNATURE)
    uncovered = tuple(sorted(path for path in left_out - {SIGNATURE} if (folder / path).exists()))
    return replace(_result(key, problems, heads, ((), head)), uncovered=uncovered)


def _result(
    key: PublicKey | None, problems: list[Problem], heads: list[str], pinned: tuple[tuple[str, ...], str | None]
) -> Verification:
    history, head = pinned
    if head is not None and head.strip().lower() not in {*heads, *history}:
        detail = f"neither this seal nor one before it has the pinned hash {head!r}: something older, or of another"
        problems.append(Problem("head", SEALED, f"{detail} line, was put in its place"))
    shown = [replace(problem, path=_printable(problem.path)) for problem in problems]
    ordered = tuple(sorted(shown, key=lambda problem: (problem.path, problem.kind)))
    return Verification(heads[0], ordered, tuple(heads), history, key.fingerprint if key else "")


def _of_manifest(manifest: Manifest, root: str | None) -> Iterator[Problem]:
    listed_root = root_of(manifest.files)
    if not manifest.is_canonical:
        yield Problem("manifest", MANIFEST, "is not written as `seal` writes it")
    if manifest.root != listed_root:
        yield Problem("manifest", MANIFEST, f"its root is {manifest.root!r}, its files give {listed_root}")
    yield from _of_root(listed_root, root, MANIFEST)


def _of_root(found: str, quoted: str | None, path: str) -> Iterator[Problem]:
    if quoted is not None and quoted.strip().lower() != found:
        yield Problem("root", path, f"the quoted root is {quoted!r}, the files listed give {found}")


def _file_of(manifest: Manifest) -> SealedFile:
    content = manifest_as_bytes(manifest)
    return SealedFile(hashlib.sha256(content).hexdigest(), len(content))


def _printable(path: str) -> str:
    """The path, escaped if it is not printable: an added file's name may hold line breaks or undecodable bytes."""
    return path if path.isprintable() else ascii(path)
