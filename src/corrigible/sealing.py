"""Seal a model with its measurements in a folder, and check later whether anything in that folder has changed.

The folder holds ``model.safetensors``, ``measurements.json``, ``sealed.json`` (when, and by which version), any other
files given, and ``manifest.json``, which follows from them. The manifest's root is one hash over all files: to publish
it fixes every byte of them.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from markupsafe import Markup
from torch import Tensor, nn

from corrigible import __version__
from corrigible.errors import ChangedError, SealError
from corrigible.files import opened
from corrigible.folders import inside, new_folder, require_plain, writing_in
from corrigible.html_table import table_html
from corrigible.manifest import MANIFEST, Manifest, SealedFile, manifest_as_bytes, read_manifest, root_of
from corrigible.models.networks import network_of
from corrigible.models.weights import weights_as_bytes
from corrigible.printable import plural
from corrigible.types import Measurement

WEIGHTS = "model.safetensors"
MEASUREMENTS = "measurements.json"
SEALED = "sealed.json"

ProblemKind = Literal["changed", "missing", "added", "renamed", "emptied", "symlink", "unreadable", "manifest", "root"]


@dataclass(frozen=True)
class Problem:
    """One difference between a folder and what was sealed."""

    kind: ProblemKind
    path: str
    """Relative to the folder, as it was when sealed."""
    detail: str


@dataclass(frozen=True)
class Verification:
    """The result of checking a sealed folder."""

    root: str
    """Root hash of the files that the manifest lists."""
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it was sealed."""
        return not self.problems

    def __repr__(self) -> str:
        listed = "".join(f"\n  {found.kind} {found.path}: {found.detail}" for found in self.problems)
        return f"Verification({self._result}, root {self.root}){listed}"

    def _repr_html_(self) -> str:
        said = Markup("<p><b>{}</b>, root <code>{}</code></p>").format(self._result, self.root)
        rows = [(found.kind, found.path, found.detail) for found in self.problems]
        return said + (table_html(("what", "file", "detail"), rows) if rows else Markup(""))

    @property
    def _result(self) -> str:
        if self.ok:
            return "unchanged"
        return plural(len(self.problems), "difference")


@dataclass(frozen=True)
class _Found:
    """The files of a folder with their hashes, and problems by path."""

    files: dict[str, SealedFile] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)


def seal(
    model: nn.Module | Mapping[str, Tensor],
    folder: str | Path,
    *,
    evidence: Sequence[Measurement] = (),
    files: Mapping[str, bytes] | None = None,
    anyway: bool = False,
) -> Manifest:
    """Write the weights, the measurements and these files with a manifest into a folder; return the manifest.

    If writing fails, no folder is left behind.

    Args:
        folder: a new or empty folder.
        files: content by plain relative path, such as ``recipe.toml``.
        anyway: also seal a model whose verdict is "failed".

    Raises:
        SealError: the folder is not empty, the correction failed, a gap was closed by predicting hardly anything,
            forgetting rows cost too much on others, or the evidence is no measurements.
        StudyError: the folder cannot be written.
        ValueError: a path that is not plain, or is taken.
    """
    model = model if isinstance(model, Mapping) else network_of(model)
    verdict = getattr(model, "verdict", None)
    if getattr(verdict, "outcome", "") == "failed" and not anyway:
        raise SealError(f"{verdict.sentence} Correct it differently, or seal it with anyway=True")  # type: ignore[union-attr]
    for record in ("enforced", "unlearned"):
        if (ruin := getattr(getattr(model, record, None), "ruin", "")) and not anyway:
            raise SealError(f"cannot seal it: {ruin}; or seal it with anyway=True")
    folder = Path(folder)
    with writing_in(folder):
        is_taken = os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or any(folder.iterdir()))
    if is_taken:
        raise SealError(f"{folder} exists and is not an empty folder; choose another name, such as with --name")
    contents = {WEIGHTS: weights_as_bytes(model), MEASUREMENTS: _measurements(evidence), SEALED: _sealed_now()}
    for name, data in (files or {}).items():
        require_plain(name)
        # Upper and lower case are one on some file systems.
        if name.casefold() in {MANIFEST, *map(str.casefold, contents)}:
            raise ValueError(f"{name!r} is taken in a sealed folder; choose another name")
        contents[name] = data
    sealed = {
        name: SealedFile(hashlib.sha256(contents[name]).hexdigest(), len(contents[name])) for name in sorted(contents)
    }
    manifest = Manifest(sealed, root_of(sealed))
    with new_folder(folder) as temporary:
        for name, data in {**contents, MANIFEST: manifest_as_bytes(manifest)}.items():
            path = inside(temporary, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return manifest


def verify(folder: str | Path, *, root: str | None = None) -> Verification:
    """The result of comparing a sealed folder with its manifest, if it is unchanged; an error if anything differs.

    Without ``root``, which was told when it was sealed, a changed file goes unnoticed if the manifest was rewritten to
    match. Symbolic links are not followed, nothing is unpickled or run, and empty folders are ignored.

    Raises:
        ChangedError: the folder is not as it was sealed; its ``problems`` are all that was found.
        SealError: the folder does not exist or has no readable manifest.
    """
    found = compared(folder, root=root)
    if found.ok:
        return found
    first, others = found.problems[0], len(found.problems) - 1
    more = f" and {plural(others, 'more difference')}" if others else ""
    raise ChangedError(
        f"{folder} is not as it was sealed: {first.kind} {first.path} ({first.detail}){more}; use an unchanged copy, "
        "or seal again",
        found.problems,
    )


def compared(folder: str | Path, *, root: str | None = None) -> Verification:
    """All differences of a sealed folder from its manifest, and of the manifest from a quoted root.

    Raises:
        SealError: the folder does not exist or has no readable manifest.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    found = _contents(folder, max((sealed.num_bytes for sealed in manifest.files.values()), default=0))
    listed_root = root_of(manifest.files)
    problems = [*found.problems.values(), *_differences(manifest.files, found)]
    if not manifest.is_canonical:
        problems.append(Problem("manifest", MANIFEST, "is not written as `seal` writes it"))
    if manifest.root != listed_root:
        problems.append(Problem("manifest", MANIFEST, f"its root is {manifest.root!r}, its files give {listed_root}"))
    if root is not None and root.strip().lower() != listed_root:
        problems.append(Problem("root", MANIFEST, f"the quoted root is {root!r}, the files listed give {listed_root}"))
    shown = [replace(problem, path=_printable(problem.path)) for problem in problems]
    return Verification(listed_root, tuple(sorted(shown, key=lambda problem: (problem.path, problem.kind))))


def _measurements(evidence: Sequence[Measurement]) -> bytes:
    """The measurements as JSON, which has no NaN: such numbers become the texts ``nan``, ``inf`` and ``-inf``."""
    for found in evidence:
        if not isinstance(found, Measurement):
            raise SealError(f"evidence holds {found!r}; expected measurements, as `evaluate` gives them")
    rows = [
        {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in map(asdict, evidence)
    ]
    written = {"format": "corrigible-measurements", "version": 1, "measurements": rows}
    return json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False).encode()


def _sealed_now() -> bytes:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"created": created, "corrigible": __version__}, indent=2).encode()


def _contents(folder: Path, largest: int) -> _Found:
    """Hashes of all files except the manifest, and the paths that cannot be hashed; see `_hash_into`."""
    found = _Found()
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        try:
            with os.scandir(folder / parent) as listing:
                entries = list(listing)
        except OSError as error:
            found.problems[parent] = Problem("unreadable", parent, str(error.strerror))
            continue
        for entry in entries:
            path = f"{parent}/{entry.name}" if parent else entry.name
            if entry.is_symlink():
                found.problems[path] = Problem("symlink", path, "a symbolic link, which is not followed")
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif path != MANIFEST:
                _hash_into(found, path, Path(entry.path), largest)
    return found


def _hash_into(found: _Found, path: str, file_path: Path, largest: int) -> None:
    """Hash the file, unless it is larger than every sealed file: then it is none of them, and may be huge."""
    try:
        with opened(file_path, most=None, follow_links=False) as file:
            num_bytes = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest() if num_bytes <= largest else ""
            found.files[path] = SealedFile(digest, num_bytes)
    except OSError as error:
        found.problems[path] = Problem("unreadable", path, str(error.strerror))


def _differences(sealed: Mapping[str, SealedFile], found: _Found) -> list[Problem]:
    problems = []
    for path in sealed.keys() & found.files.keys():
        was, now = sealed[path], found.files[path]
        if was.sha256 != now.sha256:
            kind: ProblemKind = "changed" if now.num_bytes else "emptied"
            problems.append(
                Problem(
                    kind,
                    path,
                    f"had {plural(was.num_bytes, 'byte')}, has {now.num_bytes}; SHA-256 {now.sha256 or 'not read'}",
                )
            )
        elif was.num_bytes != now.num_bytes:
            problems.append(
                Problem(
                    "manifest", path, f"lists {plural(was.num_bytes, 'byte')}; the sealed content has {now.num_bytes}"
                )
            )
    added = sorted(found.files.keys() - sealed.keys())
    for path in sorted(sealed.keys() - found.files.keys()):
        # A link or a folder that cannot be read already stands for what should lie there.
        if found.problems.keys() & {path, "", *map(str, PurePosixPath(path).parents)}:
            continue
        new_name = next((name for name in added if found.files[name].sha256 == sealed[path].sha256), None)
        if new_name is None:
            problems.append(Problem("missing", path, f"was sealed with {plural(sealed[path].num_bytes, 'byte')}"))
        else:
            added.remove(new_name)
            problems.append(Problem("renamed", path, f"is now {new_name!r}"))
    problems += [Problem("added", path, f"{plural(found.files[path].num_bytes, 'byte')}") for path in added]
    return problems


def _printable(path: str) -> str:
    """The path, escaped if it is not printable: an added file's name may hold line breaks or undecodable bytes."""
    return path if path.isprintable() else ascii(path)
