"""What is marked on the page arrives in the study, pixel by pixel, by mouse, keyboard and touch."""

from typing import Any

import numpy as np
import pytest
from served import Served, entered, next_item, open_item, saved

from corrigible.feedback.store import FeedbackStore
from corrigible.said import Answer, Feedback, Pixels


def _said(served: Served) -> list[Feedback]:
    with FeedbackStore(served.study / "feedback.sqlite") as store:
        return [feedback for _, feedback in store.active()]


def _answers(served: Served) -> list[Answer]:
    with FeedbackStore(served.study / "feedback.sqlite") as store:
        return [answer for _, answer in store.answers()]


def _mask(feedback: Feedback) -> np.ndarray:
    assert isinstance(feedback.region, Pixels)
    return feedback.region.mask


def _pixel(tab: Any, column: float, row: float) -> tuple[float, float]:
    """Where the centre of a pixel of a digit is on the screen."""
    box = tab.locator(".stage").first.bounding_box()
    scale = min(box["width"], box["height"]) / 28
    left, top = box["x"] + (box["width"] - 28 * scale) / 2, box["y"] + (box["height"] - 28 * scale) / 2
    return left + (column + 0.5) * scale, top + (row + 0.5) * scale


def _brush_of_one_pixel(tab: Any) -> None:
    tab.keyboard.press("b")
    for _ in range(6):
        tab.keyboard.press("[")


def test_a_chosen_proposal_is_stored_as_it_was_proposed(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 0)
    proposed = tab.evaluate("fetch('/api/item/train/0').then((r) => r.json())")["proposals"][0]
    tab.locator(".proposals button").first.click()
    next_item(tab, tab.locator(".save").click)
    saved(tab)
    (feedback,), (answer,) = _said(digits), _answers(digits)
    assert (feedback.polarity, feedback.scope, feedback.author) == ("irrelevant", "row", "Ada")
    assert (feedback.split, feedback.row) == ("train", 0)
    assert _mask(feedback).mean() == pytest.approx(proposed["area"])
    assert answer.answer == "marked" and 0 < answer.seconds < 60


def test_the_exact_pixels_that_were_brushed_arrive(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 1)
    _brush_of_one_pixel(tab)
    tab.mouse.move(*_pixel(tab, 3, 5))
    tab.mouse.down()
    tab.mouse.move(*_pixel(tab, 9, 5), steps=7)
    tab.mouse.up()
    tab.keyboard.press("e")
    tab.mouse.click(*_pixel(tab, 6, 5))
    tab.keyboard.press("s")
    tab.keyboard.press("r")
    tab.mouse.move(*_pixel(tab, 20, 20))
    tab.mouse.down()
    tab.mouse.move(*_pixel(tab, 22, 21), steps=3)
    tab.mouse.up()
    next_item(tab, lambda: tab.keyboard.press("Enter"))
    saved(tab)
    brushed, boxed = np.zeros((28, 28), bool), np.zeros((28, 28), bool)
    brushed[5, [3, 4, 5, 7, 8, 9]] = True
    boxed[20:22, 20:23] = True
    found = {feedback.polarity: _mask(feedback) for feedback in _said(digits)}
    assert np.array_equal(found["irrelevant"], brushed)
    assert np.array_equal(found["relevant"], boxed)


def test_what_is_undone_is_not_marked(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 2)
    tab.keyboard.press("p")
    for corner in ((2, 2), (12, 2), (12, 12), (2, 12)):
        tab.mouse.click(*_pixel(tab, *corner))
    tab.keyboard.press("Enter")
    tab.keyboard.press("w")
    with tab.expect_response("**/segments/**"):
        tab.mouse.click(*_pixel(tab, 25, 1))
    tab.wait_for_timeout(300)
    tab.keyboard.press("z")
    next_item(tab, lambda: tab.keyboard.press("Enter"))
    saved(tab)
    (feedback,) = _said(digits)
    inside = np.zeros((28, 28), bool)
    inside[3:12, 3:12] = True
    assert (_mask(feedback) & inside).sum() == 81
    assert _mask(feedback).sum() <= 11 * 11


def test_everything_can_be_done_by_keyboard(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 3)
    tab.keyboard.press("?")
    assert tab.get_by_role("dialog").get_by_text("Save what is marked, and next").is_visible()
    tab.keyboard.press("Escape")
    _brush_of_one_pixel(tab)
    while not tab.evaluate("document.activeElement.classList.contains('stage')"):
        tab.keyboard.press("Tab")
    for _ in range(3):
        tab.keyboard.press("ArrowUp")
    tab.keyboard.press(" ")
    tab.keyboard.press("a")
    tab.wait_for_selector(".save:has-text('Save for')")
    next_item(tab, lambda: tab.keyboard.press("Enter"))
    next_item(tab, lambda: tab.keyboard.press("n"))
    saved(tab)
    (feedback,) = _said(digits)
    assert (feedback.scope, _mask(feedback).sum()) == ("class", 1)
    assert [answer.answer for answer in _answers(digits)] == ["marked", "nothing wrong"]


def test_proposals_are_chosen_by_touch_on_a_small_screen(browser: Any, digits: Served) -> None:
    tab = entered(browser, digits, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    open_item(tab, digits, "train", 0)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    tab.locator(".stage").first.scroll_into_view_if_needed()
    proposals = tab.evaluate("fetch('/api/item/train/0').then((r) => r.json())")["proposals"]
    label = tab.locator(".lines .label").first.bounding_box()
    tab.touchscreen.tap(label["x"] + 2, label["y"] + 2)
    chosen = tab.locator(".proposals [data-chosen=irrelevant]").get_attribute("data-proposal")
    next_item(tab, tab.locator(".save").tap)
    saved(tab)
    (feedback,) = _said(digits)
    assert _mask(feedback).mean() == pytest.approx({each["id"]: each["area"] for each in proposals}[chosen])
    assert tab.problems == []
    tab.context.close()
