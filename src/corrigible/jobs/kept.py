"""Start a job, list the jobs of a study, read a job's progress, cancel a job.

A job is a verb that runs in a process of its own. Its progress is a file of JSON lines in the study,
``review/jobs/NUMBER.jsonl``. The process locks that file for as long as it lives, so any reader can tell whether it
still does. A line that is damaged says nothing; the others are read.
"""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corrigible.errors import StudyError
from corrigible.folders import remove_abandoned, writing_in
from corrigible.jobs.options import checked_options
from corrigible.study import open_study

JOBS = Path("review") / "jobs"
NUMBER = re.compile(r"[1-9]\d{0,8}")
MOST_SHOWN = 50
MOST_LAST = 65536
"""Bytes at the end of a file in which its last line is sought."""
PATIENCE_SECONDS = 3.0
"""How long a cancelled verb may take to clean up before it is killed."""
UNKNOWN = "unknown"
"""The verb of a job whose file does not say it."""
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"
BEGINS = {
    "correct": "correcting: the model and the rows are being loaded",
    "evaluate": "measuring: the models and the rows are being loaded",
}
"""What a job tells at once, while its process still loads what it needs."""
DIED = "its process ended before it was done; only what had been finished before that was kept"


@dataclass(frozen=True)
class Job:
    """One job, as far as it is."""

    id: str
    verb: str
    state: str
    started: str
    seconds: float | None
    sentence: str = ""
    """How it ended."""


def start(folder: Path, verb: str, options: Mapping[str, Any]) -> str:
    """Start the verb in a process of its own, and return the job's id.

    Raises:
        StudyError: another job runs, or the study is not there or cannot be written to.
        FeedbackError: an unknown verb or option.
    """
    checked = checked_options(verb, options)
    open_study(folder)  # Or a folder would be made where the study was before somebody moved it.
    place = folder / JOBS
    with writing_in(folder):
        for part in (place.parent, place):
            part.mkdir(exist_ok=True)
        with _alone(place):
            for job in jobs(folder):
                if job.state == RUNNING:
                    raise StudyError(f"job {job.id} ({job.verb}) is running; wait for its end, or cancel it")
            number = max((int(path.stem) for path in _files(folder)), default=0) + 1
            _begin(folder, place / f"{number}.jsonl", verb, checked)
    return str(number)


def _begin(folder: Path, path: Path, verb: str, options: Mapping[str, Any]) -> None:
    with path.open("xb"):
        pass
    with path.open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        head = {"job": verb, "options": options, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        file.write(json.dumps(head).encode() + b"\n")
        # The lock goes with the open file, which the new process keeps.
        given = [str(folder.absolute()), verb, json.dumps(options), str(file.fileno())]
        process = subprocess.Popen(
            [sys.executable, "-m", "corrigible.jobs.running", *given],
            pass_fds=[file.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        begun = {"process": process.pid, "record": "Begun", "line": BEGINS.get(verb, f"{verb} begins")}
        file.write(json.dumps(begun).encode() + b"\n")
    threading.Thread(target=process.wait, daemon=True).start()  # Or its number would never be free again.


def jobs(folder: Path) -> list[Job]:
    """The latest jobs, the newest first."""
    files = sorted(_files(folder), key=lambda path: -int(path.stem))
    return [_job(path) for path in files[:MOST_SHOWN]]


def job(folder: Path, id: str) -> Job:
    """The job of that id.

    Raises:
        StudyError: there is none.
    """
    return _job(_file(folder, id))


def cancel(folder: Path, id: str) -> Job:
    """End a job that runs; a verb removes what it has half written.

    Raises:
        StudyError: there is no such job, or its file does not say which process it is.
    """
    path = _file(folder, id)
    with writing_in(folder), _alone(path.parent):
        found = _job(path)
        if found.state != RUNNING:
            return found
        process = _process(path)
        for sign, seconds in ((signal.SIGINT, PATIENCE_SECONDS), (signal.SIGKILL, 10.0)):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process, sign)
            if _wait(path, seconds):
                break
        if _job(path).sentence == DIED:
            _append(path, {"event": "end", "state": CANCELLED, "sentence": "cancelled; nothing was changed"})
        remove_abandoned(folder / "runs")
    return _job(path)


class Told:
    """The lines of a job's file; each call of `new` gives those that were written since the last one.

    Args:
        after: the number of the last line that is known; 0 for none.

    Raises:
        StudyError: there is no such job.
    """

    def __init__(self, folder: Path, id: str, *, after: int = 0) -> None:
        self._path = _file(folder, id)
        self._number = self._offset = 0
        self._after = after
        self.is_over = False

    def new(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number and content of each new line, the end last; a job whose process died ends too."""
        try:
            is_alive = _is_alive(self._path)
            yield from self._lines()
        except OSError as error:
            is_alive, reason = False, f"its file cannot be read ({error.strerror})"
        else:
            reason = DIED
        if not is_alive and not self.is_over:
            self.is_over = True
            yield self._number + 1, {"event": "end", "state": FAILED, "sentence": reason}

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # Half written.
                self._offset += len(line)
                self._number += 1
                content = _content(line)
                self.is_over = content.get("event") == "end"
                if self._number > self._after:
                    yield self._number, content


def _job(path: Path) -> Job:
    """The job of that file, as far as the file can be read."""
    try:
        is_alive = _is_alive(path)
        with path.open("rb") as file:
            head = _content(file.readline())
            file.seek(max(0, path.stat().st_size - MOST_LAST))
            last = _content(file.read().rstrip(b"\n").rpartition(b"\n")[2])
    except OSError as error:
        return Job(path.stem, UNKNOWN, FAILED, "", None, f"its file cannot be read ({error.strerror})")
    verb, at = str(head.get("job", UNKNOWN)), str(head.get("at", ""))
    if last.get("event") == "end":
        state = last["state"] if last.get("state") in (DONE, FAILED, CANCELLED) else FAILED
        return Job(path.stem, verb, state, at, last.get("seconds"), str(last.get("sentence", "")))
    if not is_alive:
        return Job(path.stem, verb, FAILED, at, None, DIED)
    return Job(path.stem, verb, RUNNING, at, _seconds_since(at))


def _content(line: bytes) -> dict[str, Any]:
    """What a line says; nothing where it is damaged."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds_since(at: str) -> float | None:
    """The seconds since that time; None where it is none."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
    except (ValueError, TypeError):
        return None


def _files(folder: Path) -> list[Path]:
    return [path for path in (folder / JOBS).glob("*.jsonl") if NUMBER.fullmatch(path.stem) and path.is_file()]


def _file(folder: Path, id: str) -> Path:
    path = folder / JOBS / f"{id}.jsonl"
    if not NUMBER.fullmatch(id) or not path.is_file():
        raise StudyError(f"there is no job {id[:20]!r}; load the page again to see those there are")
    return path


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """A context that one process at a time is in."""
    with (place / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_alive(path: Path) -> bool:
    """Whether the job's process still holds its lock."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _process(path: Path) -> int:
    """The number of the job's process, which is that of its group.

    Raises:
        StudyError: the file does not say it.
    """
    with path.open("rb") as file:
        file.readline()
        found = _content(file.readline()).get("process")
    if type(found) is not int or found <= 1 or found == os.getpgrp():
        raise StudyError(f"{path} is damaged and does not say which process to end; wait until the job has ended")
    return found


def _wait(path: Path, seconds: float) -> bool:
    """Whether the process ends within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not _is_alive(path):
            return True
        time.sleep(0.05)
    return False


def _append(path: Path, content: Mapping[str, Any]) -> None:
    with path.open("r+b") as file:
        whole = file.read()
        file.write((b"" if whole.endswith(b"\n") else b"\n") + json.dumps(content).encode() + b"\n")
