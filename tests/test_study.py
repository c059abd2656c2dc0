"""A study's folder: runs that never change, and what a newer version wrote."""

import hashlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from corrigible.errors import StudyError
from corrigible.study import Draft, Study, create_study, open_study, record_as_bytes
from studies import IMAGE_RECIPE, corrigible, image_study, refused


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _leave(study: Study, verb: str, content: str) -> Draft:
    with study.new_run(verb, parent=None) as draft:
        draft.write_json("found.json", content)
    return draft


def test_runs_name_their_parent_and_the_feedback_they_saw(finished: Path) -> None:
    runs = {run.name: run.record for run in open_study(finished).runs()}
    assert list(runs) == ["0001-train", "0002-correct", "0003-baseline", "0004-baseline", "0005-evaluate"]
    assert [record["parent"] for record in runs.values()] == [
        None,
        "0001-train",
        "0001-train",
        "0001-train",
        "0004-baseline",
    ]
    assert runs["0002-correct"]["feedback_revision"] == runs["0005-evaluate"]["feedback_revision"] == 1
    assert runs["0003-baseline"]["correction"] == runs["0004-baseline"]["correction"] == "0002-correct"
    assert runs["0005-evaluate"]["models"] == ["0001-train", "0002-correct", "0003-baseline", "0004-baseline"]
    assert all(record["recipe"] == IMAGE_RECIPE and record["seed"] == 3 for record in runs.values())
    assert set(runs["0002-correct"]["weights"]) == {"right_reasons"}


def test_the_hashes_of_all_files_are_recorded(finished: Path) -> None:
    for run in open_study(finished).runs():
        files = {path.name: path for path in run.folder.iterdir() if path.name != "run.json"}
        hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
        assert hashes == run.record["files"] != {}


def test_no_verb_touches_a_finished_run(finished: Path) -> None:
    before = _bytes(finished / "runs")
    for arguments in (("train",), ("explain",), ("correct",), ("evaluate",), ("report",), ("seal",), ("verify",)):
        assert corrigible(*arguments, finished).code == 0
    corrigible("feedback", "retract", finished, 1)
    after = _bytes(finished / "runs")
    assert len(after) > len(before)
    assert {name: after[name] for name in before} == before


def test_later_feedback_does_not_change_what_a_report_says_was_seen(finished: Path) -> None:
    corrigible("feedback", "add", finished, "--box", 4, 4, 2, 2)
    corrigible("seal", finished, "--name", "one")
    sealed = json.loads((finished / "sealed" / "one" / "feedback.json").read_text())
    assert len(sealed["feedback"]) == 1


@pytest.mark.parametrize("tampering", ["changed", "missing", "added", "folder", "broken link"])
def test_a_run_that_was_tampered_with_is_reported(tampering: str, finished: Path) -> None:
    weights = finished / "runs" / "0001-train" / "weights.safetensors"
    if tampering == "added":
        (weights.parent / "more.txt").write_text("")
        expected = "0001-train/more.txt was added"
    elif tampering == "changed":
        weights.write_bytes(weights.read_bytes() + b"\0")
        expected = "0001-train/weights.safetensors was changed"
    else:
        weights.unlink()
        expected = f"0001-train/weights.safetensors {'is missing' if tampering == 'missing' else 'was changed'}"
    if tampering == "folder":
        weights.mkdir()
    if tampering == "broken link":
        weights.symlink_to("nowhere")
    answer = corrigible("verify", finished, "--json")
    assert (answer.code, answer.records[0]["problems"]) == (1, [expected])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"format": "1"}', '{"format": 1}', "[" * 100_000])
def test_a_damaged_record_is_named(text: str, finished: Path) -> None:
    (finished / "runs" / "0001-train" / "run.json").write_text(text)
    for verb in ("explain", "correct"):
        said = refused(verb, finished)
        assert "0001-train" in said
        assert "damaged" in said
    answer = corrigible("verify", finished, "--json")
    assert answer.code == 1
    assert "the run is damaged" in answer.records[0]["problems"][0]


def problems(study: Path) -> list[str]:
    found: list[str] = corrigible("verify", study, "--json").records[0]["problems"]
    return found


def rewrite(record: Path, **changes: object) -> None:
    """Change a record so that its own hash fits."""
    record.write_bytes(record_as_bytes(json.loads(record.read_text()) | changes))


def test_a_record_that_was_changed_is_damaged(finished: Path) -> None:
    record = finished / "runs" / "0005-evaluate" / "run.json"
    whole = record.read_bytes()
    for changed in (whole.replace(b"Tiny", b"Tidy"), whole + b" ", whole.replace(b'"format": 2', b'"format": 1')):
        record.write_bytes(changed)
        assert "run.json is not as it was written; the run is damaged" in problems(finished)[0]


def test_a_record_that_was_written_anew_differs_from_what_the_next_run_and_feedback_noted(finished: Path) -> None:
    rewrite(finished / "runs" / "0004-baseline" / "run.json", seed=4)
    assert problems(finished) == ["0004-baseline was changed since 0005-evaluate was made"]
    rewrite(finished / "runs" / "0001-train" / "run.json", seed=4)
    assert "0001-train was changed since feedback was given" in problems(finished)


def test_a_run_that_is_gone_is_named(finished: Path) -> None:
    shutil.rmtree(finished / "runs" / "0003-baseline")
    assert problems(finished) == ["0003-baseline is missing, which was there when 0004-baseline was made"]


def test_feedback_that_was_lost_or_exchanged_is_named(finished: Path) -> None:
    (finished / "feedback.sqlite").unlink()
    lost = "feedback.sqlite lacks changes that {} saw (0 of 1)"
    assert problems(finished) == [
        lost.format(name) for name in ("0002-correct", "0003-baseline", "0004-baseline", "0005-evaluate")
    ]
    corrigible("feedback", "add", finished, "--box", 0, 0, 2, 2)
    assert "feedback.sqlite holds other changes than 0002-correct saw" in problems(finished)


def test_data_and_recipe_are_compared_with_what_the_latest_run_saw(finished: Path) -> None:
    test, more = finished / "data" / "test.npz", finished / "data" / "more.txt"
    test.write_bytes(test.read_bytes() + b"x")
    more.write_text("")
    (finished / "data" / "validation.npz").unlink()
    (finished / "recipe.toml").write_text(IMAGE_RECIPE + "# more\n")
    assert problems(finished) == [
        "recipe.toml is not as it was for 0005-evaluate, the latest run",
        "data/more.txt was added since 0005-evaluate, the latest run",
        "data/test.npz was changed since 0005-evaluate, the latest run",
        "data/validation.npz is missing since 0005-evaluate, the latest run",
    ]


def test_a_changed_file_in_a_sealed_folder_is_a_problem_of_the_study(finished: Path) -> None:
    corrigible("seal", finished, "--name", "one", "--anyway")
    assert problems(finished) == []
    (finished / "sealed" / "one" / "recipe.toml").write_text("")
    assert [line[:34] for line in problems(finished)] == ["sealed/one: emptied recipe.toml ha"]


def test_a_changed_report_is_named(finished: Path) -> None:
    corrigible("report", finished)
    assert problems(finished) == []
    report = finished / "report.html"
    report.write_bytes(report.read_bytes().replace(b"Tiny", b"Tidy", 1))
    assert problems(finished) == ["report.html is not as it was written; make it again"]


def test_a_run_of_an_earlier_version_is_read(finished: Path) -> None:
    record = finished / "runs" / "0005-evaluate" / "run.json"
    later = ("sha256", "previous", "feedback", "data")
    old = {key: value for key, value in json.loads(record.read_text()).items() if key not in later}
    record.write_text(json.dumps({**old, "format": 1}, indent=1))
    assert problems(finished) == []
    first = finished / "runs" / "0001-train" / "run.json"
    no_facts = {key: value for key, value in json.loads(first.read_text()).items() if key not in (*later, "facts")}
    first.write_text(json.dumps({**no_facts, "format": 1}))
    assert "run.json lacks the facts about its model; the run is damaged" in refused("explain", finished, "--run", 1)


def test_what_a_newer_version_wrote_is_refused(finished: Path) -> None:
    record = finished / "runs" / "0001-train" / "run.json"
    old = record.read_text()
    record.write_text(json.dumps({"format": 99}))
    assert "has format 99" in refused("evaluate", finished)
    record.write_text(old)
    recipe = finished / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("format = 1", "format = 99"))
    assert "recipe format 99" in refused("evaluate", finished)
    recipe.write_text(IMAGE_RECIPE)
    connection = sqlite3.connect(finished / "feedback.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "has version 99" in refused("correct", finished)
    assert "has version 99" in refused("feedback", "list", finished)


def test_a_folder_that_is_no_run_is_left_alone(finished: Path) -> None:
    for name in ("0001-train (copy)", "notes", "12-x y", "0001"):
        (finished / "runs" / name).mkdir()
    study = open_study(finished)
    assert len(study.runs()) == 5
    assert _leave(study, "explain", "").published == finished / "runs" / "0006-explain"


def test_runs_keep_their_order_beyond_four_digits(tmp_path: Path) -> None:
    study = open_study(image_study(tmp_path))
    _leave(study, "train", "first")
    first = study.runs()[0].folder
    record = json.loads((first / "run.json").read_text())
    for number in (9999, 10000):
        folder = Path(shutil.copytree(first, first.with_name(f"{number}-train")))
        (folder / "run.json").write_bytes(record_as_bytes({**record, "number": number}))
    assert [run.record["number"] for run in study.runs()] == [1, 9999, 10000]
    assert study.latest("train").record["number"] == 10000
    assert _leave(study, "train", "next").published == tmp_path / "runs" / "10001-train"


def test_a_run_is_found_by_name_or_number(finished: Path) -> None:
    study = open_study(finished)
    assert study.run_named("2").name == study.run_named("0002-correct").name == "0002-correct"
    with pytest.raises(StudyError, match="did you mean '0002-correct'"):
        study.run_named("0002-corect")


def test_a_block_that_ends_with_an_error_leaves_nothing(tmp_path: Path) -> None:
    study = open_study(image_study(tmp_path))
    for error in (ValueError("no"), KeyboardInterrupt(), OSError(28, "No space left on device")):
        expected = StudyError if isinstance(error, OSError) else type(error)
        with pytest.raises(expected), study.new_run("train") as draft:  # noqa: PT012
            draft.write_json("found.json", 1)
            raise error
    assert list((tmp_path / "runs").iterdir()) == []
    assert study.runs() == []


def test_what_a_dead_process_left_is_cleared_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    study = open_study(image_study(tmp_path))
    child = os.fork()
    if child == 0:
        with study.new_run("train") as draft:
            draft.write_json("found.json", 1)
            os._exit(0)
    os.waitpid(child, 0)
    assert len(list((tmp_path / "runs").glob(".writing-*"))) == 1
    assert study.runs() == []
    with study.new_run("train") as draft:
        assert [path.name for path in (tmp_path / "runs").iterdir()] == [draft.folder.name]
        _leave(study, "explain", "")
        assert draft.folder.exists()
    assert [run.name for run in study.runs()] == ["0001-explain", "0002-train"]


def test_a_full_disk_is_one_line_and_leaves_no_run(finished: Path) -> None:
    import resource

    before = _bytes(finished / "runs")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        for verb in ("train", "explain", "correct", "evaluate", "report", "seal"):
            assert "with space left" in refused(verb, finished), verb
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert _bytes(finished / "runs") == before
    assert list(finished.rglob(".writing-*")) == []


def test_a_study_is_made_once(tmp_path: Path) -> None:
    create_study(tmp_path / "new", IMAGE_RECIPE)
    assert (tmp_path / "new" / "recipe.toml").read_text() == IMAGE_RECIPE
    with pytest.raises(StudyError, match="choose another folder"):
        create_study(tmp_path / "new", IMAGE_RECIPE)
