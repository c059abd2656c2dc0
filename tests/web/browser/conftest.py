"""The real page in a real browser: studies are trained once, and each test has a copy of its own."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))

import review_studies
from served import Served, chromium, entered

from corrigible import workflow
from corrigible.trusted_code import own
from studies import table_study, text_study


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "needs a Chromium and the extra bench"
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.skipif(shutil.which("chromium") is None, reason=reason))


@pytest.fixture(scope="session")
def trained_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of ``corrigible demo digits`` after training, with fewer epochs and without baselines."""
    folder = tmp_path_factory.mktemp("digits") / "study"
    return review_studies.trained_digits(folder, epochs=4, correct_epochs=6)


@pytest.fixture(scope="session")
def trained_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = table_study(tmp_path_factory.mktemp("table") / "study")
    list(workflow.train(folder))
    return folder


@pytest.fixture(scope="session")
def trained_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = text_study(tmp_path_factory.mktemp("text") / "study")
    list(workflow.train(folder))
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright", reason="needs the extra bench")
    with chromium() as found:
        yield found


def _served(trained: Path, tmp_path: Path) -> Iterator[Served]:
    shutil.copytree(trained, tmp_path / "study")
    own(tmp_path / "study")
    with Served(tmp_path / "study") as served:
        yield served


@pytest.fixture
def digits(trained_digits: Path, tmp_path: Path) -> Iterator[Served]:
    yield from _served(trained_digits, tmp_path)


@pytest.fixture
def table(trained_table: Path, tmp_path: Path) -> Iterator[Served]:
    yield from _served(trained_table, tmp_path)


@pytest.fixture
def text(trained_text: Path, tmp_path: Path) -> Iterator[Served]:
    yield from _served(trained_text, tmp_path)


@pytest.fixture
def tab(browser: Any, digits: Served) -> Iterator[Any]:
    """A tab on the digits; nothing may go wrong in it."""
    found = entered(browser, digits)
    yield found
    assert found.problems == []
    found.context.close()
