"""A benchmark that is killed and resumed ends with the file of one that was not; what others measured is refused."""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
RESULTS = sorted((FOLDER / "results").glob("*.json"))
SCRIPT = """
import os, signal
from functools import partial
from pathlib import Path
import runner
from runner import Row, measure, options, units_of

runner.FOLDER = Path(__file__).parent / "results"
parser = options("Sums", seeds=3)
parser.add_argument("--added", type=float, default=1.0)
asked = parser.parse_args()

def work(case, seed):
    weight = {"weight": 2.0} if seed else {}
    yield Row({"model": f"{case} first"}, {"accuracy": seed + asked.added, **weight})
    if f"{case} {seed}" == os.environ.get("KILLED_AT"):
        os.kill(os.getpid(), signal.SIGKILL)
    yield Row({"model": f"{case} second"}, {"accuracy": 2.0 * seed})
    with open(Path(__file__).parent / "worked", "a") as file:
        file.write(f"{case} {seed}\\n")

measure(units_of({case: partial(work, case) for case in ("even", "odd")}, asked), asked, settings=SETTINGS)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the benchmark here with a command line; gives its file and the units it worked on."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(importlib.import_module("runner"), "FOLDER", tmp_path / "results")
    script, worked = tmp_path / "sums.py", tmp_path / "worked"
    monkeypatch.delenv("KILLED_AT", raising=False)

    def run(*words, settings=None):
        script.write_text(SCRIPT.replace("SETTINGS", repr(settings or {"epochs": [1, 2]})))
        worked.unlink(missing_ok=True)
        monkeypatch.setattr(sys, "argv", [str(script), *words])
        runpy.run_path(str(script), run_name="__main__")
        file = tmp_path / "results" / "sums.json"
        return file.read_text(), worked.read_text().splitlines() if worked.exists() else []

    yield run
    sys.modules.pop("runner", None)


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_file(run, tmp_path):
    whole, units = run()
    assert units == ["even 0", "odd 0", "even 1", "odd 1", "even 2", "odd 2"]
    (tmp_path / "results" / "sums.json").unlink()
    (tmp_path / "worked").unlink()
    environment = {**os.environ, "KILLED_AT": "odd 1", "PYTHONPATH": f"{FOLDER.parent / 'src'}:{FOLDER}"}
    killed = subprocess.run([sys.executable, tmp_path / "sums.py"], env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "worked").read_text().splitlines() == units[:3]
    resumed, more = run("--resume")
    assert more == units[3:]
    assert resumed == whole


def test_progress_says_what_and_which_of_how_many(run, capsys):
    run("--seeds", "2")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 of 4 units to measure")
    assert [line for line in lines if line.startswith("[2 of 4, 0:00:0") and line.endswith("] odd, seed 0")]
    assert "  odd second:  accuracy 0" in lines


def test_a_figure_is_over_the_units_and_counts_them(run):
    found = json.loads(run()[0])
    assert (found["schema"], found["seeds"], found["settings"]) == (1, [0, 1, 2], {"epochs": [1, 2]})
    first, second = found["rows"][:2]
    assert first == {
        "model": "even first",
        "accuracy": first["accuracy"],
    }  # Not the weight, which two seeds alone have.
    assert second["accuracy"] == {"mean": 2.0, "sd": 2.0, "median": 2.0, "least": 0.0, "most": 4.0, "count": 3}


def test_more_seeds_are_added_and_chosen_cases_measured_again(run):
    run("--seeds", "1")
    both, units = run("--resume", "--seeds", "2")
    assert units == ["even 1", "odd 1"]
    again, units = run("--seeds", "2", "--cases", "odd")
    assert units == ["odd 0", "odd 1"]
    assert again == both
    with pytest.raises(SystemExit, match="no case named neither; there are: even, odd"):
        run("--cases", "neither")


@pytest.mark.parametrize(
    ("words", "changed", "said"),
    [
        (["--resume"], {"settings": {"epochs": [1, 3]}}, "other settings"),
        (["--resume", "--added", "2"], {}, "another command"),
        (["--cases", "odd"], {"settings": {"epochs": [1, 3]}}, "other settings"),
    ],
)
def test_what_something_else_measured_is_refused_in_one_line(run, words, changed, said):
    before = run("--seeds", "1")[0]
    with pytest.raises(SystemExit, match=said) as refused:
        run(*words, **changed)
    assert "\n" not in str(refused.value)
    assert "without --resume" in str(refused.value)
    assert run("--resume", "--seeds", "1") == (before, [])


@pytest.mark.parametrize(("field", "said"), [("versions", "other versions"), ("schema", "schema"), ("units", "means")])
def test_a_file_of_other_versions_or_of_means_alone_is_not_resumed(run, tmp_path, field, said):
    run("--seeds", "1")
    file = tmp_path / "results" / "sums.json"
    found = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in found.items() if key != field} | CHANGED.get(field, {})))
    with pytest.raises(SystemExit, match=said):
        run("--resume")


CHANGED = {"versions": {"versions": {"torch": "0"}}, "schema": {"schema": 0}}


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_every_file_of_results_has_the_schema(file):
    found = json.loads(file.read_text(encoding="utf-8"))
    fields = ["schema", "command", "versions", "seeds", "settings", "rows"]
    assert list(found) in (fields, [*fields, "units"])
    assert found["schema"] == 1
    assert found["command"].startswith("python benchmarks/")
    assert all(isinstance(seed, int) for seed in found["seeds"])
    figures = [value for row in found["rows"] for value in row.values() if isinstance(value, dict)]
    assert figures
    for figure in figures:
        assert {"mean", "sd", "least", "most"} <= figure.keys() <= FIGURE
        assert figure["least"] <= figure["most"]
    for unit in found.get("units", []):
        assert {"case", "rows"} <= unit.keys() <= {"case", "seed", "rows"}
        assert "seed" not in unit or unit["seed"] in found["seeds"]
        assert all(set(row) == {"labels", "numbers"} for row in unit["rows"])


FIGURE = {"mean", "sd", "median", "least", "most", "count", "values"}
