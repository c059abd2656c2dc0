"""What verbs share that write a run in shards: they keep their place until the run is finished."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from corrigible.errors import StudyError
from corrigible.folders import draft_folder, writing_in
from corrigible.models.processes import process_number
from corrigible.study import Study

UNFINISHED = ".unfinished-{}"
"""The folder in ``runs`` that holds the shards of a verb's run until all are finished."""


def plain(split: str) -> str:
    """The split as part of a file's name."""
    return quote(split, safe="")


def unfinished(study: Study, verb: str, split: str) -> Path:
    """Where the shards of a split are until the run is finished."""
    return study.folder / "runs" / UNFINISHED.format(verb) / plain(split)


@contextmanager
def alone(study: Study, verb: str, doing: str) -> Iterator[None]:
    """A context in which only the processes of this group work on the verb's shards of the study.

    Args:
        doing: what another process would be doing, for the error.

    Raises:
        StudyError: another process works on them.
    """
    if process_number() > 0:
        yield
        return
    runs = study.folder / "runs"
    with writing_in(runs):
        runs.mkdir(exist_ok=True)
        lock = (runs / f".lock-{verb}").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StudyError(
                f"another process {doing} of {study.folder}; wait for it, or share the work with torchrun"
            ) from error
        yield


def link_all(paths: Iterable[Path], folder: Path) -> None:
    """Link the files into a folder; copy them if the file system has no links."""
    for path in paths:
        try:
            os.link(path, folder / path.name)
        except OSError:
            shutil.copyfile(path, folder / path.name)


def discard(folder: Path) -> None:
    """Remove a folder so that no incomplete folder is ever left under its name."""
    with draft_folder(folder) as leaving:
        folder.rename(leaving)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()
