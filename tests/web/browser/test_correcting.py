"""Correct now, from the first look to the decision; and every page without a barrier, in light and dark."""

from pathlib import Path
from typing import Any

import pytest
from served import READY_MS, Served, entered, next_item, open_item, ready, saved

from corrigible.study import open_study

AXE = Path(__file__).parents[1] / "axe" / "axe.min.js"
LONG_MS = 300_000
PAGES = ("/", "/items", "/item/train/0", "/feedback", "/correct", "/report")


def test_from_marking_to_keeping_a_corrected_model(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 0)
    for _ in range(4):
        tab.keyboard.press("1")
        next_item(tab, lambda: tab.keyboard.press("Enter"))
    saved(tab)
    tab.goto(f"{digits.address}/correct")
    tab.get_by_role("button", name="Correct now").click()
    tab.wait_for_selector(".curve-end[cx]", timeout=LONG_MS)
    assert tab.get_by_role("button", name="Cancel").is_visible()
    tab.reload()  # The work goes on, and is found again.
    tab.wait_for_selector(".card .pair", timeout=LONG_MS)
    assert [name.inner_text() for name in tab.locator(".training h2").all()] == ["corrected"]
    assert tab.locator(".card .over").count() >= 4
    tab.wait_for_selector("h2:text-is('Measured')", timeout=LONG_MS)
    tab.locator(".verdict", has_text="Verdict on").wait_for()
    tab.get_by_role("button", name="Keep", exact=True).click()
    tab.wait_for_selector("text=This correction was kept", timeout=READY_MS)
    assert tab.locator(".verdict", has_text="Verdict on").is_visible()
    verbs = [run.verb for run in open_study(digits.study).runs()]
    assert verbs == ["train", "correct", "evaluate", "keep"]
    tab.goto(f"{digits.address}/report")
    tab.get_by_role("button", name="Write the report").click()
    tab.get_by_role("link", name="Open the report").click(timeout=LONG_MS)
    tab.wait_for_selector("h1")


def test_cancelled_work_leaves_no_run(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 0)
    tab.keyboard.press("1")
    next_item(tab, lambda: tab.keyboard.press("Enter"))
    saved(tab)
    tab.goto(f"{digits.address}/correct")
    tab.get_by_role("button", name="Correct now").click()
    tab.wait_for_selector(".curve-end[cx]", timeout=LONG_MS)
    tab.get_by_role("button", name="Cancel").click()
    tab.get_by_role("button", name="Correct now").wait_for(timeout=READY_MS)
    assert [run.verb for run in open_study(digits.study).runs()] == ["train"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(browser: Any, digits: Served, scheme: str) -> None:
    tab = entered(browser, digits, color_scheme=scheme, bypass_csp=True)
    for path in PAGES:
        tab.goto(digits.address + path)
        ready(tab)
        if path.startswith("/item/"):
            tab.locator(".proposals button").first.click()
        tab.evaluate(AXE.read_text(encoding="utf-8"))
        found = tab.evaluate("axe.run()")["violations"]
        assert [(path, each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] != "minor"] == []
    assert tab.problems == []
    tab.context.close()
