"""The report's commands make its numbers again, feedback included."""

import html
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from corrigible import workflow
from corrigible.cli import main
from corrigible.study import open_study
from studies import TABLE_RECIPE, table_study


def commands_in(report: Path) -> list[str]:
    found = re.search(r"<h3>Commands</h3>.*?<code>(.*?)</code>", report.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return html.unescape(found[1]).splitlines()


def numbers(study: Path) -> list[object]:
    results = open_study(study).latest("evaluate").read("evaluation.json")
    return [results["verdict"], results["changes"], [(m["name"], m["measurements"]) for m in results["models"]]]


@pytest.mark.slow
def test_the_commands_of_the_report_give_the_same_numbers_in_a_fresh_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = table_study(tmp_path, TABLE_RECIPE)
    list(workflow.train(study, seed=5))
    list(workflow.add_feedback(study, features=("site",), author="maria"))
    list(workflow.correct(study))
    list(workflow.add_feedback(study, features=("age",), row=1, split="test", author="later"))
    list(workflow.evaluate(study, seed=7))
    list(workflow.report(study))
    monkeypatch.chdir(study.parent)
    for line in commands_in(study / "report.html"):
        name, *words = shlex.split(line)
        if name == "corrigible":
            done = CliRunner().invoke(main, words)
            assert done.exit_code in (0, 1) and "error" not in done.output, (line, done.output)
        else:
            subprocess.run([name, *words], check=True)
    assert numbers(study.parent / "again") == numbers(study)
    assert (study.parent / "again" / "report.html").exists()
