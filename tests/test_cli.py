"""The command line: every command once on images and on a table, exit codes, JSON, and help without PyTorch."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from corrigible import terminal
from corrigible.cli import main
from corrigible.lines.as_json import as_fields
from studies import IMAGE_RECIPE, TABLE_RECIPE, Answer, corrigible, edit, image_study, refused, table_study

REGIONS = {"image": ("--box", 0, 0, 2, 2), "table": ("--feature", "site")}


def ok(*arguments: object) -> Answer:
    answer = corrigible(*arguments)
    assert (answer.code, answer.stderr) == (0, ""), answer
    return answer


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, command in group.commands.items():
        found += _commands(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


COMMANDS = _commands(main)


@pytest.mark.parametrize("kind", ["image", pytest.param("table", marks=pytest.mark.slow)])
def test_every_command_on_a_tiny_study(kind: str, tmp_path: Path) -> None:
    study = tmp_path / "study"
    (made,) = ok("init", study, "--kind", kind, "--json").records
    empty = {"page": "", "result": ""}
    assert {**made, "next": []} == {"record": "Finished", "verb": "init", "path": str(study), "next": [], **empty}
    (image_study if kind == "image" else table_study)(study, IMAGE_RECIPE if kind == "image" else TABLE_RECIPE)

    records = ok("train", study, "--json").records
    assert [record["record"] for record in records][-1] == "Finished"
    assert {"Started", "Epoch"} <= {record["record"] for record in records}
    ok("explain", study, "--json")
    (noted,) = ok("feedback", "add", study, *REGIONS[kind], "--author", "Ada", "--note", "a cue", "--json").records
    assert noted["numbers"] == [1]
    ok("feedback", "add", study, *REGIONS[kind], "--row", 4)
    exported = tmp_path / "said.json"
    ok("feedback", "export", study, exported, "--json")
    assert len(json.loads(exported.read_text())["feedback"]) == 2
    (imported,) = ok("feedback", "import", study, exported, "--json").records
    assert (imported["numbers"], imported["num_known"]) == ([], 2)
    ok("feedback", "retract", study, 2, "--author", "Ada", "--json")
    listed = ok("feedback", "list", study, "--json").records
    assert [entry["is_retracted"] for entry in listed] == [False, True]
    assert "Ada" in ok("feedback", "list", study).stdout

    answer = corrigible("correct", study, "--json")
    records = answer.records
    (verdict,) = (record for record in records if record["record"] == "Verdict")
    assert answer.code == int(verdict["outcome"] == "failed")
    num_trials = sum(record["record"] == "WeightTrial" for record in records)
    assert num_trials >= 5 if kind == "image" else num_trials == 0
    records = ok("evaluate", study, "--json").records
    assert records[0]["record"] == "Verdict"
    num_models = {"image": 4, "table": 3}[kind]
    assert len({record["model"] for record in records if record["record"] == "Measured"}) == num_models
    ok("report", study, "--json")
    assert (study / "report.html").read_text().rstrip().endswith("</html>")
    (sealed,) = ok("seal", study, "--name", "first", "--anyway", "--json").records
    assert sealed["outcome"] in ("corrected", "partly corrected", "no reliance found", "failed")
    (verified,) = ok("verify", study / "sealed" / "first", "--root", sealed["root"], "--json").records
    assert (verified["path"], verified["root"], verified["problems"]) == (sealed["path"], sealed["root"], [])
    assert ok("verify", study, "--json").records[0]["problems"] == []
    assert {"right_reasons", "accuracy", "mlp"} <= {record["name"] for record in ok("methods", "--json").records}
    assert "right_reasons" in ok("methods").stdout


def test_what_is_printed_without_json_names_what_was_made(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    assert f"train: {study / 'runs' / '0001-train'}" in ok("train", study).stdout
    ok("feedback", "add", study, "--box", 0, 0, 2, 2)
    assert "right_reasons gets weight" in ok("correct", study).stdout
    assert "corrected" in ok("evaluate", study).stdout
    assert f"report: {study / 'report.html'}" in ok("report", study).stdout
    assert "root" in ok("seal", study).stdout
    assert "unchanged" in ok("verify", study).stdout


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("train",), ("train", ".", "--seed", "-1"), ("verify", ".", "--nonsense"), ("demo", "nonsense")],
)
def test_a_command_that_does_not_exist_or_is_misspelt_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert corrigible(*arguments).code == 2


def test_an_error_that_the_user_can_fix_ends_with_1_and_one_line_also_with_json(tmp_path: Path) -> None:
    for more in ((), ("--json",)):
        answer = corrigible("train", tmp_path, *more)
        assert (answer.code, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)


def test_problems_found_by_verify_end_with_1(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    corrigible("train", study)
    (study / "runs" / "0001-train" / "log.jsonl").write_text("")
    answer = corrigible("verify", study, "--json")
    assert (answer.code, answer.stderr) == (1, "")
    assert answer.records[0]["problems"] == ["0001-train/log.jsonl was changed"]
    assert "1 problem" in corrigible("verify", study).stdout


def test_text_of_the_user_is_printed_as_it_was_written(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    ok("feedback", "add", study, "--box", 0, 0, 2, 2, "--note", "[red]not[/red] [markup")
    assert "[red]not[/red] [markup" in ok("feedback", "list", study).stdout


HEAVY = {"torch", "pandas", "sklearn", "scipy", "matplotlib", "jinja2"}


def loaded_by(*commands: tuple[object, ...], unwanted: set[str]) -> str:
    """Which of the packages these commands load, in a process of their own."""
    script = f"""
import sys
from click.testing import CliRunner
from corrigible.cli import main
from corrigible.lines.as_json import as_fields
for command in {[[*map(str, command)] for command in commands]!r}:
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0 and result.output, (command, result, result.output)
print(sorted({unwanted!r} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_help_and_methods_load_neither_torch_nor_numpy() -> None:
    helps = [(*path, "--help") for path in COMMANDS]
    assert loaded_by(*helps, ("--version",), ("methods",), unwanted=HEAVY | {"numpy", "sqlite3"}) == "[]"


def test_what_is_said_of_features_is_stored_listed_and_retracted_without_torch(tmp_path: Path) -> None:
    study, other = table_study(tmp_path / "table"), image_study(tmp_path / "images")
    ok("feedback", "add", other, "--box", 0, 0, 2, 2)
    quick = [
        ("init", tmp_path / "new", "--kind", "table"),
        ("feedback", "add", study, "--feature", "site"),
        ("feedback", "list", study),
        ("feedback", "list", other),
        ("feedback", "export", study, tmp_path / "said.json"),
        ("feedback", "retract", study, "1"),
    ]
    assert loaded_by(*quick, unwanted=HEAVY) == "[]"
    ok("train", study)  # Whose reading of the table tells the classes.
    assert loaded_by(("feedback", "add", study, "--feature", "age", "--label", "1"), unwanted=HEAVY) == "[]"


def test_every_command_explains_itself() -> None:
    assert len(COMMANDS) >= 15
    for path in COMMANDS:
        text = corrigible(*path, "--help").stdout
        assert len(text.splitlines()) >= 4, path


def test_ctrl_c_is_one_line_and_leaves_no_half_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = image_study(tmp_path)
    shown = 0
    write = terminal.as_line

    def interrupted(fields: Mapping[str, Any]) -> str:
        nonlocal shown
        shown += 1
        if shown == 3:  # While the run is being written.
            raise KeyboardInterrupt
        return write(fields)

    monkeypatch.setattr(terminal, "as_line", interrupted)
    answer = corrigible("train", study, "--json")
    assert (answer.code, answer.stderr) == (130, "interrupted: nothing finished was lost\n")
    assert not [path for path in (study / "runs").iterdir() if path.name != ".lock"]
    ok("train", study)


def test_json_lines_hold_no_nan_and_no_infinity() -> None:
    from corrigible.training import Epoch

    line = terminal.as_line(as_fields(Epoch(1, 2, float("nan"), {"right_reasons": float("inf")})))
    found = json.loads(line, parse_constant=lambda name: pytest.fail(name))
    assert found["loss"] is None
    assert found["penalties"] == {"right_reasons": None}


def test_other_seeds_give_other_weights_and_the_same_seed_the_same_bytes(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    for seed in (1, 1, 2):
        ok("train", study, "--seed", seed)
    first, second, third = ((study / "runs" / f"{n:04d}-train" / "weights.safetensors").read_bytes() for n in (1, 2, 3))
    assert first == second != third


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/../../x", "..", ".", "a\\b", "x\n"])
def test_a_seal_stays_inside_the_study(name: str, tmp_path: Path, finished: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert "plain path inside a folder" in refused("seal", finished, "--name", name)
    assert sorted(tmp_path.rglob("*")) == before
    assert not (finished / "sealed").exists()


def test_a_run_or_split_outside_the_study_is_refused(finished: Path) -> None:
    assert "unknown run '../x'" in refused("explain", finished, "--run", "../x")
    assert "plain path" in refused("feedback", "add", finished, "--box", 0, 0, 1, 1, "--split", "../data/train")


def test_a_seal_refuses_a_changed_run_and_a_name_that_is_taken(finished: Path) -> None:
    ok("seal", finished, "--name", "one")
    assert "choose another name, such as with --name" in refused("seal", finished, "--name", "one")
    weights = finished / "runs" / "0002-correct" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    assert "0002-correct/weights.safetensors was changed" in refused("seal", finished, "--name", "two")
    assert not (finished / "sealed" / "two").exists()


def test_a_wrong_root_is_found_out(finished: Path) -> None:
    ok("seal", finished, "--name", "one")
    answer = corrigible("verify", finished / "sealed" / "one", "--root", "0" * 64, "--json")
    assert answer.code == 1
    assert len(answer.records[0]["problems"]) == 1
    assert "a root hash belongs to a sealed folder" in refused("verify", finished, "--root", "0" * 64)


def test_explain_the_run_that_is_named(finished: Path) -> None:
    ok("explain", finished, "--run", "0001-train")
    ok("explain", finished, "--run", "2")
    parents = [json.loads(path.read_text())["parent"] for path in sorted(finished.glob("runs/*-explain/run.json"))]
    assert parents == ["0001-train", "0002-correct"]
    assert "holds no model" in refused("explain", finished, "--run", "0005-evaluate")


def test_a_misspelt_setting_is_answered_with_the_right_one(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(study, "epochs = 2\nbatch_size = 16\n[correct]", "epoch = 2\n[correct]")
    assert "did you mean 'epochs'" in refused("train", study)


@pytest.mark.parametrize("verb", ["init", "train", "verify", "report", "seal"])
def test_a_name_that_no_file_can_have_is_refused_in_a_short_line(verb: str) -> None:
    answer = corrigible(verb, "h" * 5000)
    assert answer.code == 2
    assert "cannot be used as a path (File name too long)" in answer.stderr and len(answer.stderr) < 1000


def test_a_usage_error_echoes_no_control_characters() -> None:
    for arguments in (("\x1b[2J",), ("train", ".", "--\x1b[2J"), ("methods", "\x1b[2J")):
        answer = corrigible(*arguments)
        assert answer.code == 2
        assert "\x1b" not in answer.stderr


def test_a_range_of_feedback_is_taken_back_at_once_and_what_was_taken_back_before_is_passed_over(
    tmp_path: Path,
) -> None:
    study = table_study(tmp_path)
    for feature in ("site", "age", "site", "age", "site"):
        ok("feedback", "add", study, "--feature", feature)
    ok("feedback", "retract", study, "2")
    (retracted,) = ok("feedback", "retract", study, "1-3", "5", "--json").records
    assert retracted["numbers"] == [1, 3, 5]
    standing = [
        entry["number"] for entry in ok("feedback", "list", study, "--json").records if not entry["is_retracted"]
    ]
    assert standing == [4]
    assert "no feedback from 1 to 3 still stands" in refused("feedback", "retract", study, "4", "1-3")
    assert "feedback 1 is retracted already" in refused("feedback", "retract", study, "4", "1")
    assert [entry["is_retracted"] for entry in ok("feedback", "list", study, "--json").records].count(False) == 1
    assert corrigible("feedback", "retract", study, "4-x").code == 2


def test_a_rule_about_features_is_checked_against_the_names_of_the_table(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    assert "did you mean 'site'" in refused("feedback", "add", study, "--feature", "sit")
    assert "unknown class 'north'" in refused("feedback", "add", study, "--feature", "site", "--label", "north")
    ok("train", study)
    assert "unknown class 'north'" in refused("feedback", "add", study, "--feature", "site", "--label", "north")
    assert "unknown class '2': known: 0, 1" in refused("feedback", "add", study, "--feature", "site", "--label", "2")
    every = [word for name in ("age", "site", "sex") for word in ("--feature", name)]
    (noted,) = ok("feedback", "add", study, *every, "--json").records
    assert "up to 100\u00a0% of the input" in noted["doubts"][0]


def test_what_is_missing_is_called_missing(tmp_path: Path) -> None:
    study, absent = image_study(tmp_path / "study"), tmp_path / "absent"
    for command in (("train", absent), ("verify", absent), ("feedback", "list", absent), ("report", absent / "deep")):
        assert refused(*command).startswith(f"there is no folder {command[-1]}; "), command
    assert refused("feedback", "export", study, absent / "x.json").startswith(f"there is no folder {absent}; ")
    assert refused("feedback", "import", study, absent).startswith(f"there is no file or folder {absent}; ")
    assert refused("feedback", "add", study, "--mask", absent).startswith(f"there is no file {absent}; ")
    assert "no recipe.toml" in refused("train", tmp_path)


def test_a_signed_seal_is_attested_pinned_and_told_apart(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="needs the extra seal")
    key, other = tmp_path / "key", tmp_path / "other"
    for path in (key, other):
        assert "BEGIN" not in ok("keygen", path).stdout
    (first,) = ok("seal", finished, "--name", "one", "--key", key, "--json").records
    ok("evaluate", finished)
    (attested,) = ok("attest", finished, "--name", "one", "--key", key, "--json").records
    assert attested["root"] == first["root"] and attested["head"] != first["head"]
    (second,) = ok("seal", finished, "--name", "two", "--key", key, "--json").records
    one, two, public = finished / "sealed/one", finished / "sealed/two", f"{key}.pub"
    assert "signed by the pinned key" in ok("verify", two, "--key", public, "--head", attested["head"]).stdout
    assert "accidents, not attackers" in " ".join(ok("verify", two).stdout.split())
    for pinned in (first["head"], attested["head"], second["head"]):
        assert "unchanged" in ok("verify", finished, "--key", public, "--head", pinned).stdout
    assert "earlier → later" in ok("diff", one, two, "--key", public).stdout
    for command in (
        ("verify", one, "--key", public, "--head", second["head"]),
        ("verify", two, "--key", f"{other}.pub"),
        ("verify", finished, "--key", f"{other}.pub"),
        ("verify", finished, "--head", "0" * 64),
    ):
        answer = corrigible(*command)
        assert answer.code == 1 and "unchanged" not in answer.stdout, command
    assert "is not as it was sealed" in refused("diff", one, two, "--key", f"{other}.pub")
    assert "expected the public one" in refused("verify", one, "--key", key)
    assert "cannot attest" in refused("attest", finished, "--name", "one", "--key", other)
    key.rename(finished / "key")
    assert "lies in the study" in refused("seal", finished, "--name", "three", "--key", finished / "key")


def test_a_seal_is_checked_and_compared_without_torch(tmp_path: Path, finished: Path) -> None:
    ok("seal", finished, "--name", "one")
    (finished / "sealed" / "one").rename(tmp_path / "one")
    ok("seal", finished, "--name", "one")
    commands = [("verify", tmp_path / "one"), ("diff", tmp_path / "one", finished / "sealed" / "one")]
    assert loaded_by(*commands, unwanted=HEAVY) == "[]"


def test_seals_without_a_difference_say_so(tmp_path: Path, finished: Path) -> None:
    ok("seal", finished, "--name", "one")
    copy = tmp_path / "copy"
    shutil.copytree(finished / "sealed" / "one", copy)
    assert "no difference" in ok("diff", finished / "sealed" / "one", copy).stdout
