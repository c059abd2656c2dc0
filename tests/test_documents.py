"""What the documents say is so: commands, links, the Python of the how-to pages, and what is generated."""

import importlib
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

import corrigible
from corrigible.cli import main
from corrigible.explanations.counterfactuals.written import WrittenChanges
from corrigible.feedback.exchange import from_json
from corrigible.metrics import METRICS
from corrigible.protocols.schedule import Schedule
from corrigible.recipe import Baseline, Evaluation, ExplainSettings
from corrigible.workflow.method_families import FAMILIES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
README, METHODS = ROOT / "README.md", ROOT / "docs" / "methods.md"
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
NEEDS = {"private-training": "opacus"}
"""Pages that need a package which not every installation has."""
SLOW = (
    *(
        "add-your-own-penalty",
        "bayesian-networks",
        "audit",
        "change-a-decision-of-trees",
        "correct-a-text-model",
        "counterfactuals",
        "distil-a-model",
        "explain",
        "fair-predictions",
        "forgetting",
        "influence",
        "limit-an-influence",
        "monotone-and-interactions",
        "prices-and-counts",
        "privacy",
        "private-training",
        "robust-tables",
        "robustness",
        "tabular-classifier",
        "tabular-regressor",
    ),
    "train-a-sparse-network",
    "train-a-steadier-network",
)
"""Pages of more than a second of processor time."""


def commands(group: click.Group, path: str = "corrigible") -> list[str]:
    found = []
    for name, command in group.commands.items():
        found += commands(command, f"{path} {name}") if isinstance(command, click.Group) else [f"{path} {name}"]
    return found


@pytest.mark.parametrize("command", commands(main))
def test_every_command_is_described(command: str) -> None:
    pages = [ROOT / "README.md", *HOW_TO]
    assert any(re.search(rf"{command}\b", page.read_text(encoding="utf-8")) for page in pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_something(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    targets = re.findall(r"\]\(([^)\s]+)", prose)
    relative = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert [target for target in relative if not (page.parent / target).exists()] == []


def python_blocks(page: Path) -> list[tuple[int, str]]:
    """Each block's first line, counted from 0, and its code."""
    text = page.read_text(encoding="utf-8")
    return [
        (text[: block.start(1)].count("\n"), block[1])
        for block in re.finditer(r"```python\n(.*?)```", text, flags=re.S)
    ]


@pytest.mark.filterwarnings("ignore:the loss was still falling")  # Examples train briefly.
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem in SLOW else [])
        for page in HOW_TO
        if python_blocks(page)
    ],
)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem])
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for line, code in python_blocks(page):
        # Blank lines in front, so that a traceback gives the line of the page.
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


def test_every_key_of_a_recipe_is_described() -> None:
    page = (ROOT / "docs" / "how-to" / "study-from-the-command-line.md").read_text(encoding="utf-8")
    known = {
        field.name
        for part in (Schedule, ExplainSettings, Evaluation, Baseline, WrittenChanges)
        for field in fields(part)
    }
    assert [key for key in sorted(known - {"settings"}) if f"`{key}`" not in page] == []


def test_every_metric_is_explained() -> None:
    page = (ROOT / "docs" / "how-to" / "read-the-report.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in page] == []


def test_every_method_stands_in_a_how_to_or_an_example() -> None:
    pages = [*HOW_TO, *sorted((ROOT / "examples").glob("*.py"))]
    words = set(re.findall(r"\w+", "\n".join(page.read_text(encoding="utf-8") for page in pages)))
    assert [name for members in FAMILIES.values() for name in members if name not in words] == []


def test_every_method_can_be_imported_from_where_its_page_says() -> None:
    rows = re.findall(
        r"^\| `(\w+)`(?:, `(\w+)`)? \| `(corrigible[\w.]*)` \|", METHODS.read_text(encoding="utf-8"), flags=re.M
    )
    assert len(rows) == sum(map(len, FAMILIES.values()))
    missing = [row for row in rows if not hasattr(importlib.import_module(row[2]), row[1] or row[0])]
    assert missing == []


def test_the_front_page_is_short_and_begins_with_python_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.encode()) <= 6000
    ((_, code),) = python_blocks(README)
    assert text.index("```python") < text.index("make ")
    exec(compile(code, str(README), "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    promised, found = (re.search(r"by (\d+)[\d.]* points; before, (\d+)", text) for text in (code, printed))
    assert [float(part) for part in found.groups()] == pytest.approx([float(part) for part in promised.groups()], abs=3)
    assert printed.startswith("1. hospital, ") and "\nCorrected: what was marked hardly matters any more." in printed


def test_the_index_of_how_tos_names_every_page() -> None:
    index = (ROOT / "docs" / "how-to" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in HOW_TO if page.name != "README.md" and f"({page.name})" not in index] == []


def test_the_feedback_shown_as_json_can_be_imported() -> None:
    page = (ROOT / "docs" / "how-to" / "study-from-the-command-line.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```json\n(.*?)```", page, flags=re.S)
    assert [feedback.scope for feedback in from_json(text)] == ["dataset", "row"]


def test_decisions_are_numbered_and_short() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    assert [page.name for page in pages if len(page.read_text(encoding="utf-8").splitlines()) > 40] == []


def test_the_version_to_cite_is_that_of_the_package() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, flags=re.M) == [corrigible.__version__]
