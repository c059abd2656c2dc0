"""Jobs: start a verb in a process of its own, read what it told, cancel it.

A job is a file of JSON lines in the study, ``review/jobs/NUMBER.jsonl``. Its process holds a lock on that file as long
as it lives, so that every reader knows whether it still does, whoever started it and whatever happened to them.
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

JOBS = Path("review") / "jobs"
NUMBER = re.compile(r"[1-9]\d{0,8}")
MOST_SHOWN = 50
PATIENCE_SECONDS = 3.0
"""How long a cancelled verb may take to clean up before it is killed."""
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"
DIED = "its process ended before it was done; nothing of it was kept but what had been finished"


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
        StudyError: another job runs, or the study cannot be written to.
        FeedbackError: an unknown verb or option.
    """
    checked = checked_options(verb, options)
    place = folder / JOBS
    with writing_in(folder):
        place.mkdir(parents=True, exist_ok=True)
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
        given = [str(folder), verb, json.dumps(options), str(file.fileno())]
        process = subprocess.Popen(
            [sys.executable, "-m", "corrigible.jobs.running", *given],
            pass_fds=[file.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        file.write(json.dumps({"process": process.pid, "record": "Begun", "line": f"{verb} begins"}).encode() + b"\n")
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
        StudyError: there is no such job.
    """
    path = _file(folder, id)
    with _alone(path.parent):
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
    """What a job told, to be read again and again; each call gives what is new.

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
        is_alive = _is_alive(self._path)
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # Half written.
                self._offset += len(line)
                self._number += 1
                content = json.loads(line)
                self.is_over = content.get("event") == "end"
                if self._number > self._after:
                    yield self._number, content
        if not is_alive and not self.is_over:
            self.is_over = True
            yield self._number + 1, {"event": "end", "state": FAILED, "sentence": DIED}


def _job(path: Path) -> Job:
    is_alive = _is_alive(path)
    with path.open("rb") as file:
        head = json.loads(file.readline() or b"{}")
        file.seek(max(0, path.stat().st_size - 65536))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    with suppress(ValueError):
        end = json.loads(last)
        if end.get("event") == "end":
            seconds = end.get("seconds")
            return Job(path.stem, head["job"], end["state"], head["at"], seconds, end["sentence"])
    if not is_alive:
        return Job(path.stem, head.get("job", "?"), FAILED, head.get("at", ""), None, DIED)
    seconds = (datetime.now(UTC) - datetime.fromisoformat(head["at"])).total_seconds()
    return Job(path.stem, head["job"], RUNNING, head["at"], seconds)


def _files(folder: Path) -> list[Path]:
    return [path for path in (folder / JOBS).glob("*.jsonl") if NUMBER.fullmatch(path.stem)]


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
    """The number of the job's process, which is that of its group."""
    with path.open("rb") as file:
        file.readline()
        return int(json.loads(file.readline())["process"])


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
