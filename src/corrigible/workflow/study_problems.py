"""What in a study is not as its runs recorded it."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from corrigible import sealing
from corrigible.errors import RecipeError, SealError, StudyError
from corrigible.files import hashes_in
from corrigible.run_records import record_hash
from corrigible.sealing.keys import read_pinned_key
from corrigible.study import Run, Study, open_study, read_run
from corrigible.trusted_code import ORIGIN, is_origin_damaged

PAGES = ("report.html", "comparison.html")
_HASH = re.compile(rb"<!-- sha256 [0-9a-f]{64} -->(?=</html>\s*\Z)")


def with_hash(page: bytes) -> bytes:
    """A web page with a comment at its end that holds the hash of the rest."""
    before, end, after = page.rpartition(b"</html>")
    return before + f"<!-- sha256 {hashlib.sha256(page).hexdigest()} -->".encode() + end + after


def problems_of(folder: Path, *, key: Path | None = None, head: str | None = None) -> list[str]:
    """A line for each thing that was changed, removed or added; empty for a study as its last run left it.

    A run's record is fixed by the run after it and by later feedback. The recipe and the files in ``data`` are compared
    with what the latest run saw, what people said with every run, and each sealed folder with its manifest.

    Args:
        key: file of the public key that must have signed every seal.
        head: hash that one of the seals, or one before them, must have.

    Raises:
        StudyError: no study.
        SealError: the key cannot be used.
    """
    try:
        study = open_study(folder)
    except RecipeError as error:
        return [f"recipe.toml cannot be used: {error}"]
    return [*_of_runs(study), *_of_pages(study), *_of_sealed(study, key, head), *_of_origin(study)]


def _of_origin(study: Study) -> Iterator[str]:
    if is_origin_damaged(study.folder):
        yield f"{ORIGIN} is damaged: delete it, and trust the recipe if it names code that you know"


def _of_runs(study: Study) -> Iterator[str]:
    runs = []
    for folder in study.run_folders():
        try:
            runs.append(read_run(folder))
        except StudyError as error:
            yield str(error)
    for run in runs:
        yield from run.problems()
        previous = run.record.get("previous")
        if previous is not None:
            yield from _of_record(study, previous["run"], previous["sha256"], f"{run.name} was made")
    yield from _of_feedback(study, runs)
    if runs:
        yield from _of_inputs(study, runs[-1])


def _of_record(study: Study, name: str, sha256: str, since: str) -> Iterator[str]:
    """Whether the run's record is still what it was then."""
    found = record_hash(study.folder / "runs" / name)
    if found != sha256:
        yield f"{name} was changed since {since}" if found else f"{name} is missing, which was there when {since}"


def _of_feedback(study: Study, runs: Sequence[Run]) -> Iterator[str]:
    try:
        with study.feedback() as store:
            store.records()
            noted = dict.fromkeys(store.runs())
            for run in runs:
                seen = run.record.get("feedback")
                if seen is None:
                    continue
                if seen["revision"] > store.revision:
                    yield f"feedback.sqlite lacks changes that {run.name} saw ({store.revision} of {seen['revision']})"
                elif store.hash_at(seen["revision"]) != seen["sha256"]:
                    yield f"feedback.sqlite holds other changes than {run.name} saw"
    except StudyError as error:
        yield str(error)
        return
    for note in noted:
        if note:
            name, _, sha256 = note.partition(" ")
            yield from _of_record(study, name, sha256, "feedback was given")


def _of_inputs(study: Study, latest: Run) -> Iterator[str]:
    if study.recipe.text != latest.record["recipe"]:
        yield f"recipe.toml is not as it was for {latest.name}, the latest run"
    if "data" not in latest.record:
        return
    expected, found = latest.record["data"], hashes_in(study.folder / "data")
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            what = "was added" if name not in expected else "was changed" if name in found else "is missing"
            yield f"data/{name} {what} since {latest.name}, the latest run"


def _of_pages(study: Study) -> Iterator[str]:
    for path in (study.folder / name for name in PAGES):
        page = path.read_bytes() if path.is_file() else b""
        if page != (with_hash(_HASH.sub(b"", page)) if page else b""):
            yield f"{path.name} is not as it was written; make it again"


def _of_sealed(study: Study, key: Path | None, head: str | None) -> Iterator[str]:
    public, heads = None if key is None else read_pinned_key(key, study.folder), set[str]()
    for folder in sorted((study.folder / "sealed").glob("[!.]*")):
        try:
            found = sealing.compared(folder, key=public)
            heads |= {*found.heads, *found.history}
        except SealError as error:
            yield str(error)
            continue
        yield from (f"sealed/{folder.name}: {p.kind} {p.path} {p.detail}".strip() for p in found.problems)
    if head is not None and head.strip().lower() not in heads:
        yield f"no seal has the pinned hash {head!r}, or follows one that has: newer seals or attestations are missing"
