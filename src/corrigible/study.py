"""A study: a folder about one question, to which every verb adds a run.

A run is written under a temporary name and renamed when it is complete, so a run is either complete or absent. A
finished run is never edited: ``run.json`` holds the SHA-256 of each of its files, of itself without that line, of the
run before it, of what people had said and of the files in ``data`` when it began. So every record but the last is
fixed by the next one; feedback notes the latest run too.
"""

import fcntl
import json
import platform
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corrigible import __version__
from corrigible.errors import StudyError, unknown
from corrigible.feedback.store import FeedbackStore
from corrigible.files import (
    MOST_RECIPE,
    MOST_RECORD,
    MOST_RESULTS,
    found_hash,
    hashes_in,
    read_bytes,
    read_text,
    sha256_of,
)
from corrigible.folders import draft_folder, sync, write_atomically, writing_in
from corrigible.recipe_keys import content_of
from corrigible.run_records import FORGET, discarded, record_as_bytes, record_hash
from corrigible.trusted_code import own, require_trusted

if TYPE_CHECKING:
    from corrigible.recipe import Recipe

RUN_FORMAT = 2
"""Format 1 has no hash of the record itself."""
_RUN_NAME = re.compile(r"(\d{4,})-[a-z]+")
_RECORDED = {"format": int, "number": int, "verb": str, "recipe": str, "files": dict}


@dataclass(frozen=True)
class Run:
    """A finished result of one verb."""

    folder: Path
    record: Mapping[str, Any]
    """The content of ``run.json``."""

    @property
    def name(self) -> str:
        """Number and verb, e.g. ``0003-correct``."""
        return self.folder.name

    @property
    def verb(self) -> str:
        return str(self.record["verb"])

    @property
    def label(self) -> str:
        """The name of the run's model in tables."""
        return str(self.record.get("label", self.verb))

    @cached_property
    def recipe(self) -> "Recipe":
        """The recipe by which it was made.

        Raises:
            RecipeError: the recipe cannot be used.
            UntrustedError: it runs code that nobody said to trust.
        """
        return _trusted(self.folder.parent.parent, self.record["recipe"])

    def read(self, name: str) -> Any:
        """The JSON file of that name."""
        return json.loads(read_text(self.folder / name, most=MOST_RESULTS, within=self.folder))

    def require_unchanged(self) -> None:
        """Raises StudyError if a file of the run was changed, removed or added since it was finished."""
        for problem in self.problems():
            raise StudyError(f"{problem} since the run was finished; make the run again")

    def problems(self) -> list[str]:
        """A line for each file that was changed, removed or added since the run was finished."""
        expected: Mapping[str, str] = self.record["files"]
        present = {path.name for path in self.folder.iterdir()} - {"run.json"}
        found = [f"{self.name}/{name} is missing" for name in sorted(set(expected) - present)]
        found += [f"{self.name}/{name} was added" for name in sorted(present - set(expected))]
        changed = [name for name in sorted(present & set(expected)) if found_hash(self.folder / name) != expected[name]]
        return found + [f"{self.name}/{name} was changed" for name in changed]


@dataclass(frozen=True)
class Study:
    """A study folder and the text of its recipe."""

    folder: Path
    recipe_text: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """What a command's options say in place of the recipe, for its runs to record."""

    @cached_property
    def recipe(self) -> "Recipe":
        """The parsed recipe, for verbs that do what it says.

        Raises:
            RecipeError: the recipe cannot be used.
            UntrustedError: it runs code that nobody said to trust.
        """
        return _trusted(self.folder, self.recipe_text)

    def with_recipe(self, recipe: "Recipe", options: Mapping[str, Any]) -> "Study":
        """The same study with a recipe that these options have changed."""
        changed = replace(self, options=options)
        changed.__dict__["recipe"] = recipe
        return changed

    def feedback(self) -> FeedbackStore:
        """The study's feedback store, to be used in a ``with`` statement."""
        latest = self.run_folders()[-1:]
        note = "".join(f"{folder.name} {record_hash(folder)}" for folder in latest)
        return FeedbackStore(self.folder / "feedback.sqlite", run=note)

    def run_folders(self) -> list[Path]:
        """The folders of the finished runs, oldest first."""
        return [path for _, path in sorted(_numbered(self.folder / "runs"))]

    def runs(self) -> list[Run]:
        """The finished runs, oldest first."""
        return [read_run(path) for path in self.run_folders()]

    def latest(self, *verbs: str) -> Run:
        """The newest run of one of these verbs, except discarded corrections; forgetting counts as training.

        Raises:
            StudyError: there is none.
        """
        runs = self.runs()
        left_out = discarded(run.record for run in runs)
        wanted = (*verbs, FORGET) if "train" in verbs else verbs
        found = [run for run in runs if run.verb in wanted and run.name not in left_out]
        if not found:
            said = " or ".join(verbs)
            raise StudyError(f"no {said} run in {self.folder}; run `corrigible {verbs[0]} {self.folder}` first")
        return found[-1]

    def run_named(self, name: str) -> Run:
        """The run of this name, or of this number.

        Raises:
            StudyError: there is none.
        """
        runs = self.runs()
        for run in runs:
            if name in (run.name, str(run.record["number"])):
                return run
        raise StudyError(unknown("run", name, [run.name for run in runs]))

    @contextmanager
    def new_run(self, verb: str, **record: Any) -> Iterator["Draft"]:
        """A draft to write files into; it becomes a finished run when the block ends without an error."""
        runs = self.folder / "runs"
        record = {"verb": verb, **record, **({"options": dict(self.options)} if self.options else {})}
        started = time.perf_counter()
        with self.feedback() as store:
            revision = store.revision
            record["feedback"] = {"revision": revision, "sha256": store.hash_at(revision)}
        record["data"] = hashes_in(self.folder / "data")
        with writing_in(runs):
            runs.mkdir(parents=True, exist_ok=True)
            with draft_folder(runs / verb) as folder:
                draft = Draft(folder, record)
                yield draft
                draft.record |= {"seconds": round(time.perf_counter() - started, 2), "recipe": self.recipe_text}
                _publish(draft, runs)


@dataclass
class Draft:
    """A run that is still being written."""

    folder: Path
    record: dict[str, Any]
    published: Path | None = None
    """The folder of the finished run; None until it is finished."""

    def write_json(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def open_study(folder: Path | str) -> Study:
    """The study in this folder.

    Raises:
        StudyError: the folder has no readable recipe.
    """
    folder = Path(folder)
    path = folder / "recipe.toml"
    try:
        text = read_text(path, most=MOST_RECIPE, within=folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not folder.exists():
            raise StudyError(f"there is no folder {folder}; check the name, or `corrigible init {folder}`") from error
        raise StudyError(
            f"no recipe.toml in {folder}; expected a study: `corrigible init {folder}` makes one"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot read {path} ({error}); expected UTF-8 text") from error
    return Study(folder, text)


def create_study(folder: Path | str, recipe: str) -> Study:
    """Create a study folder with this recipe.

    Raises:
        StudyError: the folder already holds a study, or cannot be written.
        RecipeError: the recipe lacks a part or has an unknown one; the rest is checked when it is used.
    """
    folder = Path(folder)
    content_of(recipe)
    if (folder / "recipe.toml").exists():
        raise StudyError(f"{folder} already holds a study; choose another folder")
    with writing_in(folder):
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir(exist_ok=True)
    own(folder)
    write_atomically(folder / "recipe.toml", recipe.encode())
    return Study(folder, recipe)


def _trusted(folder: Path, text: str) -> "Recipe":
    from corrigible.recipe import Recipe  # Loads PyTorch, which listing feedback does not need.

    require_trusted(folder, text)
    return Recipe.parse(text)


def _publish(draft: Draft, runs: Path) -> None:
    """Hash the files, flush everything to the disk, and give the run its number and name."""
    files = sorted(path for path in draft.folder.iterdir())
    for path in files:
        sync(path)
    draft.record["files"] = {path.name: sha256_of(path) for path in files}
    with (runs / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number, before = max(_numbered(runs), default=(0, None))
        previous = None if before is None else {"run": before.name, "sha256": record_hash(before)}
        number += 1
        record = {"format": RUN_FORMAT, "number": number, **draft.record, "previous": previous, **_circumstances()}
        write_atomically(draft.folder / "run.json", record_as_bytes(record))
        draft.published = runs / f"{number:04d}-{draft.record['verb']}"
        draft.folder.rename(draft.published)
        sync(runs)


def _circumstances() -> dict[str, Any]:
    # Not by its own attribute: a decision about a run needs no PyTorch, which would stay in the memory of a server.
    versions = {"corrigible": __version__, "torch": version("torch"), "python": platform.python_version()}
    return {"created": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions}


def _numbered(runs: Path) -> Iterator[tuple[int, Path]]:
    for path in runs.glob("[0-9]*-*"):
        named = _RUN_NAME.fullmatch(path.name)
        if named and path.is_dir():
            yield int(named[1]), path


def read_run(folder: Path) -> Run:
    """The finished run in this folder.

    Raises:
        StudyError: its record is damaged, or a newer version wrote it.
    """
    path = folder / "run.json"
    try:
        data = read_bytes(path, most=MOST_RECORD, within=folder)
        record = json.loads(data)
        is_whole = isinstance(record["format"], int) and (
            record["format"] > RUN_FORMAT or all(isinstance(record[key], kind) for key, kind in _RECORDED.items())
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StudyError(f"cannot read {path} ({error}); the run is damaged: move {folder} away") from error
    if not is_whole:
        raise StudyError(f"{path} does not describe a run; the run is damaged: move {folder} away")
    if record["format"] > RUN_FORMAT:
        found = record["format"]
        raise StudyError(f"{folder} has format {found}; this version reads up to {RUN_FORMAT}: upgrade corrigible")
    is_signed = record["format"] == RUN_FORMAT
    if (is_signed and data != record_as_bytes(record)) or (not is_signed and "sha256" in record):
        raise StudyError(f"{path} is not as it was written; the run is damaged: put back a copy, or move {folder} away")
    return Run(folder, record)
