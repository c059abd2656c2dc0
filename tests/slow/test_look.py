"""What a person sees of four studies: no long silence on the terminal, no name of the code on a page."""

import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

pytest.importorskip("playwright", reason="needs the extra bench")
look = pytest.importorskip("look", reason="needs the extra bench")

NAME_OF_CODE = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
needs_browser = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a Chromium")


@pytest.mark.slow
@pytest.mark.browser
@needs_browser
@pytest.mark.parametrize("kind", look.KINDS)
def test_a_study_is_quick_to_speak_and_speaks_in_words(tmp_path: Path, kind: str) -> None:
    found = look.look(kind, tmp_path)
    assert [each.command for each in found if each.code] == []
    assert [each.command for each in found if each.silence_seconds > look.SILENCE_SECONDS] == []
    assert [line for each in found for line in each.lines if len(line) > 80 and "corrigible " not in line] == []
    pages = look.pages(tmp_path)
    assert "report" in pages
    look.notebook(kind, tmp_path)
    assert {name: set(NAME_OF_CODE.findall(text)) for name, text in pages.items()} == {name: set() for name in pages}
