"""Nothing acknowledged is lost and nothing half-written is found, whenever a verb dies or is interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corrigible.study import open_study
from studies import corrigible, edit, image_study

pytestmark = pytest.mark.slow

CLI = [sys.executable, "-c", "from corrigible.cli import main; main()"]


def test_200_kills_over_every_writing_verb() -> None:
    # In a process of its own: a fork of one with threads may hang.
    script = Path(__file__).with_name("kill.py")
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    sys.stdout.write(found.stdout)
    assert found.returncode == 0, found.stdout + found.stderr
    assert int(found.stdout.splitlines()[-1].split()[0]) >= 200


def test_200_kills_of_the_server_while_it_saves() -> None:
    script = Path(__file__).with_name("kill_review.py")
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    sys.stdout.write(found.stdout)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "nothing acknowledged was lost, nothing was stored twice" in found.stdout


def test_verbs_at_the_same_time_all_leave_their_runs(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    corrigible("train", study)
    verbs = [["train"], ["explain"], ["train"], *[["feedback", "add"]] * 3]
    more = {"feedback": ["--box", "0", "0", "2", "2"]}
    started = [
        subprocess.Popen(
            [*CLI, *verb, str(study), *more.get(verb[0], [])], stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for verb in verbs
    ]
    assert [process.communicate()[1] for process in started] == [b""] * 6
    assert [process.returncode for process in started] == [0] * 6
    runs = open_study(study).runs()
    assert [run.record["number"] for run in runs] == [1, 2, 3, 4]
    assert sorted(run.verb for run in runs) == ["explain", "train", "train", "train"]
    assert [problem for run in runs for problem in run.problems()] == []
    with open_study(study).feedback() as store:
        assert [number for number, _ in store.active()] == [1, 2, 3]


def test_ctrl_c_while_training_is_one_line(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(study, "epochs = 2", "epochs = 100000")
    process = subprocess.Popen([*CLI, "train", str(study), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate()
    assert (process.returncode, stderr) == (130, b"interrupted: nothing finished was lost\n")
    assert list((study / "runs").iterdir()) == []
