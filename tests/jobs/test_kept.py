"""A job is what its file and its lock say, whoever reads it."""

import fcntl
import json

import pytest

from corrigible.errors import FeedbackError, StudyError
from corrigible.jobs import kept
from corrigible.jobs.options import checked_options

HEAD = {"job": "correct", "options": {}, "at": "2026-01-31T00:00:00+00:00"}
BEGUN = {"process": 2**31 - 1, "record": "Begun", "line": "correct begins"}
END = {"event": "end", "state": "done", "sentence": "corrected", "seconds": 2.0}


@pytest.fixture
def written(tmp_path):
    def write(*lines, name="1", end="\n"):
        place = tmp_path / kept.JOBS
        place.mkdir(parents=True, exist_ok=True)
        (tmp_path / "recipe.toml").touch()
        (place / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)) + end)
        return tmp_path

    return write


def test_a_job_that_ended_is_as_it_ended(written):
    folder = written(HEAD, BEGUN, END)
    job = kept.job(folder, "1")
    assert (job.verb, job.state, job.seconds, job.sentence) == ("correct", "done", 2.0, "corrected")
    assert kept.cancel(folder, "1") == job


def test_a_job_whose_process_died_has_failed(written):
    folder = written(HEAD, BEGUN, {"record": "Epoch"})
    assert kept.job(folder, "1").state == "failed"
    assert [content.get("event") for _, content in kept.Told(folder, "1").new()] == [None, None, None, "end"]


def test_a_job_runs_as_long_as_its_file_is_locked(written):
    folder = written(HEAD, BEGUN)
    with (folder / kept.JOBS / "1.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert kept.job(folder, "1").state == "running"
        with pytest.raises(StudyError, match="is running"):
            kept.start(folder, "report", {})
    assert kept.job(folder, "1").state == "failed"


def test_lines_are_told_once_and_half_a_line_later(written):
    folder = written(HEAD, BEGUN, {"record": "a"}, end='\n{"rec')
    with (folder / kept.JOBS / "1.jsonl").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        told = kept.Told(folder, "1", after=1)
        assert [number for number, _ in told.new()] == [2, 3]
        assert list(told.new()) == []
        file.write(b'ord": "b"}\n')
        file.flush()
        assert list(told.new()) == [(4, {"record": "b"})]
        assert not told.is_over


@pytest.mark.parametrize("name", ["0", "01", "x", "1.jsonl", "../1", "", "9" * 10])
def test_other_ids_are_no_jobs(written, name):
    with pytest.raises(StudyError, match="there is no job"):
        kept.job(written(HEAD), name)


def test_options_are_those_of_the_verb():
    assert checked_options("correct", {"epochs": 2, "penalty": "", "weight": "auto"}) == {"epochs": 2, "weight": "auto"}
    with pytest.raises(FeedbackError, match="did you mean 'epochs'"):
        checked_options("correct", {"epoch": 2})


@pytest.mark.parametrize("head", ["{", "[1]", '{"job": 1, "at": 5}', "\x00", "[" * 100_000])
def test_a_damaged_first_line_hides_neither_the_job_nor_the_others(written, head):
    folder = written(HEAD, BEGUN, END)
    path = folder / kept.JOBS / "2.jsonl"
    path.write_text(f"{head}\nnot JSON\n")
    assert [job.state for job in kept.jobs(folder)] == ["failed", "done"]
    assert [content.get("event") for _, content in kept.Told(folder, "2").new()] == [None, None, "end"]
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert kept.job(folder, "2").state == "running"
        with pytest.raises(StudyError, match="does not say which process"):
            kept.cancel(folder, "2")


def test_no_job_begins_where_the_study_was(tmp_path):
    with pytest.raises(StudyError, match="no folder"):
        kept.start(tmp_path / "moved", "report", {})
    assert not (tmp_path / "moved").exists()


@pytest.mark.parametrize("weight", [10**400, float("inf"), float("nan"), 0, -1, True, 1e300])
def test_a_weight_is_a_number_that_can_be_used(weight):
    with pytest.raises(FeedbackError, match="expected a number above 0"):
        checked_options("correct", {"weight": weight})
