"""Seal a model: write it with its measurements into a folder, with a manifest and, where there is a key, signed."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from corrigible.errors import SealError
from corrigible.folders import inside, new_folder, require_plain, writing_in
from corrigible.manifest import MANIFEST, Manifest, SealedFile, manifest_as_bytes, root_of
from corrigible.models.networks import network_of
from corrigible.models.weights import weights_as_bytes
from corrigible.sealing.attestations import ATTESTATIONS, path_of
from corrigible.sealing.attesting import REPORT, Place, attestation_as_bytes
from corrigible.sealing.bundles import signed_bundle
from corrigible.sealing.checking import IGNORED, compared
from corrigible.sealing.evidence import Provenance, evidence_of, measurements_as_rows
from corrigible.sealing.keys import read_private_key
from corrigible.sealing.records import SEALED, record_now
from corrigible.sealing.signatures import SIGNATURE
from corrigible.sealing.statements import listing, statement_as_bytes
from corrigible.types import Measurement

WEIGHTS = "model.safetensors"
MEASUREMENTS = "measurements.json"
_TAKEN = (MANIFEST, WEIGHTS, MEASUREMENTS, SEALED, SIGNATURE, ATTESTATIONS)


@dataclass(frozen=True)
class Signing:
    """With which key a seal is signed, after which seal, and what else its first attestation says."""

    key: str | Path | None = None
    """File of a private key; None for a seal without a signature."""
    ask: Callable[[], str] | None = None
    """Asks for the passphrase of an encrypted key where ``CORRIGIBLE_KEY_PASSPHRASE`` is not set."""
    parent: str | Path | None = None
    """Sealed folder that comes before this one; the seal names its root."""
    provenance: Provenance = field(default_factory=Provenance)


def seal(
    model: nn.Module | Mapping[str, Tensor],
    folder: str | Path,
    *,
    evidence: Sequence[Measurement] = (),
    files: Mapping[str, bytes] | None = None,
    anyway: bool = False,
    signing: Signing | str | Path | None = None,
) -> Manifest:
    """Write the weights, the measurements and these files with a manifest into a folder; return the manifest.

    If writing fails, no folder is left behind.

    Args:
        folder: a new or empty folder.
        files: content by plain relative path, such as ``recipe.toml``.
        anyway: also seal a model whose verdict is "failed".
        signing: file of a private key, as `make_key` writes it, with which the seal is signed; or a `Signing`, which
            says more. Then the measurements are also in a signed attestation.

    Raises:
        SealError: the folder is not empty, the correction failed, a gap was closed by predicting hardly anything,
            forgetting rows cost too much on others, the evidence is no measurements, the key cannot be used, or the
            seal before this one is not unchanged.
        StudyError: the folder cannot be written.
        ValueError: a path that is not plain, or is taken.
    """
    how = signing if isinstance(signing, Signing) else Signing(key=signing)
    model = model if isinstance(model, Mapping) else network_of(model)
    _require_sound(model, anyway)
    folder = Path(folder)
    with writing_in(folder):
        is_taken = os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or any(folder.iterdir()))
    if is_taken:
        raise SealError(f"{folder} exists and is not an empty folder; choose another name, such as with --name")
    key = None if how.key is None else read_private_key(how.key, ask=how.ask)
    parent, history = _before(how.parent)
    contents = {
        WEIGHTS: weights_as_bytes(model),
        MEASUREMENTS: _measurements(evidence),
        SEALED: record_now(parent, history, key.public.fingerprint if key else ""),
    }
    _add(contents, files or {})
    sealed = {name: _sealed_file(contents[name]) for name in sorted(contents)}
    manifest = Manifest(sealed, root_of(sealed))
    contents[MANIFEST] = manifest_as_bytes(manifest)
    if key is not None:
        statement = listing({name: _sealed_file(data).sha256 for name, data in contents.items()}, IGNORED)
        contents[SIGNATURE] = signed_bundle(statement_as_bytes(statement, folder.name), key)
        report = (REPORT, contents[REPORT]) if REPORT in contents else None
        said = evidence_of(evidence, how.provenance, root=manifest.root, parent=parent, report=report)
        place = Place(1, hashlib.sha256(contents[SIGNATURE]).hexdigest(), statement.subject, folder.name)
        contents[path_of(1)] = attestation_as_bytes(said, place, key)
    _write(folder, contents)
    return manifest


def _require_sound(model: object, anyway: bool) -> None:
    verdict = getattr(model, "verdict", None)
    if getattr(verdict, "outcome", "") == "failed" and not anyway:
        raise SealError(f"{verdict.sentence} Correct it differently, or seal it with anyway=True")  # type: ignore[union-attr]
    for record in ("enforced", "unlearned"):
        if (ruin := getattr(getattr(model, record, None), "ruin", "")) and not anyway:
            raise SealError(f"cannot seal it: {ruin}; or seal it with anyway=True")


def _before(parent: str | Path | None) -> tuple[str | None, tuple[str, ...]]:
    """The root of the seal before, and the hashes of all before this one."""
    if parent is None:
        return None, ()
    found = compared(parent)
    if not found.ok:
        first = f"{found.problems[0].kind} {found.problems[0].path}"
        raise SealError(
            f"cannot seal after {parent}, which is not as it was sealed ({first}); put an unchanged copy there, or "
            "take it away"
        )
    return found.root, tuple(dict.fromkeys((*found.history, *found.heads)))


def _add(contents: dict[str, bytes], files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        require_plain(name)
        # Upper and lower case are one on some file systems.
        if name.casefold().partition("/")[0] in _TAKEN or name.casefold() in map(str.casefold, contents):
            raise ValueError(f"{name!r} is taken in a sealed folder; choose another name")
        contents[name] = data


def _sealed_file(data: bytes) -> SealedFile:
    return SealedFile(hashlib.sha256(data).hexdigest(), len(data))


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    with new_folder(folder) as temporary:
        for name, data in contents.items():
            path = inside(temporary, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for path in temporary.rglob("*"):
            # Whatever the user's mask is: a signed seal is found changed where everybody can write to it.
            path.chmod(path.stat().st_mode & (0o755 if path.is_dir() else 0o644))


def _measurements(evidence: Sequence[Measurement]) -> bytes:
    written = {"format": "corrigible-measurements", "version": 1, "measurements": measurements_as_rows(evidence)}
    return json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False).encode()
