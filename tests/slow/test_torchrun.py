"""Processes that torchrun starts make the same run as one process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studies import corrigible, table_study

pytestmark = pytest.mark.slow

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
TWO_PROCESSES = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def explained(start: list[str], study: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [*start, "-m", "corrigible", "explain", str(study), "--all", "--rows-per-shard", "7", "--json", *more]
    return subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, timeout=120, check=False)


def test_two_processes_make_the_run_that_one_makes(tmp_path: Path) -> None:
    one, two = table_study(tmp_path / "one"), tmp_path / "two"
    assert corrigible("train", one).code == 0
    shutil.copytree(one, two)
    alone, together = explained([sys.executable], one), explained(TWO_PROCESSES, two)
    assert (alone.returncode, together.returncode) == (0, 0), together.stderr
    runs = [study / "runs" / "0002-explain" for study in (one, two)]
    found, expected = ({p.name: p.read_bytes() for p in run.iterdir() if p.name != "run.json"} for run in runs)
    assert found == expected and len(found) == 9 + 3 + 4 + 3 + 1

    records = [json.loads(line) for line in together.stdout.splitlines()]
    assert [r["path"] for r in records if r["record"] == "Finished"] == [str(runs[1])]
    told = [r["number"] for r in records if r["record"] == "ShardWritten" and r["name"] == "train"]
    assert told[-1] == 9 and len(told) < 9  # The other process wrote the rest.
    assert not (two / "runs" / ".unfinished-explain").exists()


def test_an_error_ends_all_processes(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    refused = explained(TWO_PROCESSES, study)
    assert refused.returncode == 1 and refused.stdout == ""
    assert f"error: no train or correct run in {study}" in refused.stderr
