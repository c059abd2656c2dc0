"""A reproduction that is resumed keeps what the same command, settings and versions have measured, and nothing else."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
MEASURED = {0: {"fooled": {"accuracy": 0.5}}, 2: {"fooled": {"accuracy": 0.25}}}
SETTINGS = {"epochs": 3, "methods": ("a", "b")}


@pytest.fixture
def outcome(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("outcome", FOLDER / "reproduce" / "outcome.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("results", None)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["case.py", "--seeds", "3", "--methods", "a,b"])
    module.write("case", SETTINGS, MEASURED, first_seed=0)
    return module


def test_the_same_with_other_seeds_is_kept(outcome, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["case.py", "--methods", "a,b", "--resume", "--seeds", "9"])
    assert outcome.measured_before("case", SETTINGS, first_seed=0) == MEASURED
    assert outcome.measured_before("case", SETTINGS, first_seed=5) == {}
    assert outcome.measured_before("other", SETTINGS, first_seed=0) == {}


def test_what_something_else_measured_is_refused(outcome, monkeypatch):
    with pytest.raises(SystemExit, match="other settings"):
        outcome.measured_before("case", SETTINGS | {"epochs": 4}, first_seed=0)
    with monkeypatch.context() as changed:
        changed.setattr(sys, "argv", ["case.py", "--seeds", "3", "--methods", "a"])
        with pytest.raises(SystemExit, match="another command"):
            outcome.measured_before("case", SETTINGS, first_seed=0)
    monkeypatch.setattr(outcome, "VERSIONS", outcome.VERSIONS | {"torch": "9"})
    with pytest.raises(SystemExit, match="other versions"):
        outcome.measured_before("case", SETTINGS, first_seed=0)
