"""Who signed a sealed folder, and whether what was signed is what lies there."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from corrigible.errors import SealError
from corrigible.manifest import SealedFile
from corrigible.sealing.bundles import Bundle, read_bundle
from corrigible.sealing.keys import PublicKey, is_normal
from corrigible.sealing.problems import Problem, ProblemKind
from corrigible.sealing.statements import MODEL_SIGNING, Listed, listed_in, read_statement

SIGNATURE = "model.sig"


def read_signature(folder: Path) -> tuple[Bundle, Listed]:
    """The signed list of a folder's files; whether the signature fits is not checked.

    Raises:
        SealError: there is none, or it is of another form.
    """
    bundle = read_bundle(folder / SIGNATURE)
    return bundle, listed_in(read_statement(bundle.payload, MODEL_SIGNING))


def authenticity_problems(
    kind: ProblemKind, path: str, bundle: Bundle, key: PublicKey | None, *, is_ours: bool = True
) -> Iterator[Problem]:
    """Whether the key signed it; and, if corrigible wrote it, whether it has the one form that corrigible writes.

    Args:
        key: None where the signature itself cannot be checked.
    """
    if is_ours and not bundle.is_canonical:
        yield Problem(kind, path, "is not written as `seal` writes it")
    if key is None:
        return
    if bundle.fingerprint != key.fingerprint:
        yield Problem(kind, path, f"is signed by another key, {bundle.fingerprint[:64]!r}; expected {key.fingerprint}")
    elif not key.has_signed(bundle.signed, bundle.signature):
        yield Problem(kind, path, "its signature does not fit: it, or what it signs, was changed")
    elif is_ours and not is_normal(bundle.signature):
        yield Problem(kind, path, "its signature is not in the form that `seal` writes")


def listing_problems(listed: Listed, files: Mapping[str, SealedFile], ignored: tuple[str, ...]) -> Iterator[Problem]:
    """Whether a signature lists exactly these files, and leaves out exactly those ignored."""
    expected = {path: sealed.sha256 for path, sealed in files.items()}
    for path in sorted({*expected, *listed.files}):
        if expected.get(path) != listed.files.get(path):
            yield Problem("signature", SIGNATURE, f"it was made for other content of {path!r} than the folder lists")
    if sorted(listed.ignored) != sorted(ignored):
        yield Problem("signature", SIGNATURE, f"it leaves out {listed.ignored}; expected {ignored}")


def unsigned(error: SealError) -> Problem:
    """That the folder has no signature that can be read."""
    return Problem("signature", SIGNATURE, str(error))
