"""The verbs about seals that load no PyTorch: verify, diff, keygen."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from corrigible import sealing
from corrigible.errors import SealError
from corrigible.workflow.records import Finished, SealDiffers, Verified
from corrigible.workflow.study_problems import problems_of

UNPINNED = (
    "checked against what the folder says of itself: this finds accidents, not attackers, who can write it anew; "
    "give --key with the signer's public key from elsewhere, or --root"
)
UNSIGNED_HEAD = "without --key anybody can write that a seal follows the pinned head; give --key too"


def verify(
    folder: Path,
    *,
    root: str | None = None,
    key: Path | None = None,
    head: str | None = None,
    replay: Path | None = None,
    tolerance: float = 0.001,
) -> Iterator[Verified]:
    """Compare a sealed folder with its manifest, or all of a study with the hashes that its runs recorded.

    Args:
        root: hash that was quoted for the sealed folder.
        key: file of the public key that must have signed it, or every seal of the study.
        head: hash that the sealed folder, one before it, or a seal of the study must have.
        replay: the study it was sealed from, on whose data the sealed measurements are repeated; only if nothing was
            changed. This runs the code that the study's recipe names.
        tolerance: most difference of a repeated measurement, as a multiple of its size or of 1, whichever is larger.
    """
    if (folder / "recipe.toml").is_file() and not (folder / "manifest.json").exists():
        if root is not None:
            raise SealError(f"{folder} is a study; a root hash belongs to a sealed folder inside it")
        if replay is not None:
            raise SealError(f"{folder} is a study; name the sealed folder whose evaluation to repeat")
        yield Verified(str(folder), "", tuple(problems_of(folder, key=key, head=head)))
        return
    if not folder.exists():
        raise SealError(f"there is no folder {folder}; expected a sealed folder, or a study")
    found = sealing.compared(folder, root=root, key=key, head=head)
    problems = tuple(f"{p.kind}: {p.path} {p.detail}".strip() for p in found.problems)
    said = "" if problems else _checked(found, root, head)
    if replay is not None and not problems:
        from corrigible.workflow.replaying import replay_problems  # Loads PyTorch, which checking does not need.

        problems = tuple(replay_problems(folder, found, replay, tolerance=tolerance))
        said = "" if problems else f"{said}; its measurements were repeated on the data of {replay}, and found again"
    yield Verified(str(folder), found.root, problems, head=found.head, signer=found.signer, result=said)


def _checked(found: sealing.Verification, root: str | None, head: str | None) -> str:
    """With what an unchanged folder was compared, and what that leaves open."""
    if found.uncovered:
        return f"signed by the pinned key, which did not sign {', '.join(found.uncovered)}: anything may lie there"
    if found.signer:
        return "signed by the pinned key"
    if root is not None:
        return "as the quoted root says"
    return UNSIGNED_HEAD if head is not None else UNPINNED


def diff(first: Path, second: Path, *, key: Path | None = None) -> Iterator[SealDiffers | Finished]:
    """What two sealed folders say differently: files, measurements, data, feedback, recipe, code, environment."""
    differences = sealing.seal_differences(first, second, key=key)
    for found in differences:
        yield SealDiffers(found.about, found.name, found.first, found.second)
    if not differences:
        yield Finished("diff", str(second), result="no difference")


def keygen(path: Path, *, passphrase: str | None = None) -> Iterator[Finished]:
    """Make a key: the private one in this file, for its owner alone, and the public one beside it."""
    public = sealing.make_key(path, passphrase=passphrase)
    said = f"public key {path}.pub, SHA-256 {public.fingerprint}: give it to whoever verifies; the other is yours alone"
    yield Finished("keygen", str(path), result=said, next=(f"corrigible seal STUDY --key {shlex.quote(str(path))}",))
