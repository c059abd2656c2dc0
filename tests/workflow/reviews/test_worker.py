"""The looker's process: it is started again where it ended, on demand where it could not begin, and nobody waits."""

import json
import time
from pathlib import Path

import pytest

from corrigible.errors import StudyError
from corrigible.workflow.reviews import worker
from corrigible.workflow.reviews.worker import Worker


def echo(folder, run, pipe):
    """A looker that answers with its run; it fails to begin while there is a file "broken", and ends when asked to."""
    if (Path(folder) / "broken").exists():
        pipe.send_bytes(b'{"event": "failed", "error": "broken"}\n')
        return
    pipe.send_bytes(b'{"event": "ready"}\n')
    while True:
        asked = json.loads(pipe.recv_bytes())
        if asked["do"] == "end":
            return
        if asked["do"] == "sleep":
            time.sleep(60)
        pipe.send_bytes(json.dumps({"id": asked["id"], "found": run}).encode() + b"\n")


@pytest.fixture
def heard():
    return []


@pytest.fixture
def looker(tmp_path, monkeypatch, heard):
    monkeypatch.setattr(worker, "_look", echo)
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.0)
    found = Worker(str(tmp_path), "0001-train", lambda message: heard.append(message["event"]))
    yield found
    found.close()


def until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happens")


def test_what_was_not_answered_is_asked_of_the_next_run_and_a_long_question_holds_nobody(looker):
    waiting = looker.ask("sleep")
    started = time.monotonic()
    large = looker.ask("anything", much="x" * 4_000_000)
    assert time.monotonic() - started < 1
    waiting.cancel()
    looker.use("0002-correct")
    assert large.result(20) == ("0002-correct", b"")


def test_it_is_started_again_where_it_ended_and_asked_again_once(looker, heard):
    waiting, other = looker.ask("sleep"), looker.ask("anything")
    until(lambda: heard)
    waiting.cancel()
    looker._process.kill()
    assert other.result(20) == ("0001-train", b"")
    with pytest.raises(StudyError, match="ended twice"):
        looker.ask("end").result(20)
    assert looker.ask("anything").result(20) == ("0001-train", b"")
    assert heard == ["ready"] + ["restarted", "ready"] * 3


def test_one_that_could_not_begin_is_started_again_when_somebody_asks(tmp_path, looker, heard):
    (tmp_path / "broken").touch()
    looker.use("0002-correct")
    until(lambda: heard[-1:] == ["gone"])
    with pytest.raises(StudyError, match="load the page again"):
        looker.ask("anything").result(1)
    (tmp_path / "broken").unlink()
    assert looker.start_again()
    assert not looker.start_again()
    assert looker.ask("anything").result(20) == ("0002-correct", b"")
