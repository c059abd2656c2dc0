"""Nothing that was said is lost or stored twice: two tabs, a server that is killed, a reload."""

import json
from typing import Any

from served import Served, next_item, open_item, ready, saved, watched

from corrigible.feedback.store import FeedbackStore
from corrigible.said import Pixels


def _stored(served: Served) -> tuple[list[str], list[int]]:
    """Each answer, and the size of each mask."""
    with FeedbackStore(served.study / "feedback.sqlite") as store:
        answers = [answer.answer for _, answer in store.answers()]
        masks = [feedback.region.mask.sum() for _, feedback in store.active() if isinstance(feedback.region, Pixels)]
    return answers, masks


def test_the_second_of_two_tabs_hears_what_the_first_said_and_both_are_kept(tab: Any, digits: Served) -> None:
    other = watched(tab.context.new_page())
    for each in (tab, other):
        open_item(each, digits, "train", 0)
    tab.locator(".proposals button").nth(0).click()
    next_item(tab, tab.locator(".save").click)
    saved(tab)
    other.locator(".proposals button").nth(1).click()
    next_item(other, other.locator(".save").click)
    notice = other.locator(".notice")
    notice.wait_for()
    assert "image 0" in notice.inner_text() and "Ada" in notice.inner_text()
    assert _stored(digits)[0] == ["marked"]
    notice.get_by_role("button", name="Keep both").click()
    notice.wait_for(state="detached")
    saved(other)
    answers, masks = _stored(digits)
    assert (answers, len(masks)) == (["marked", "marked"], 2)
    other.problems = [problem for problem in other.problems if "409" not in problem]
    assert other.problems == []


def test_a_server_that_is_killed_in_the_middle_of_a_stroke_loses_nothing(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 0)
    tab.keyboard.press("b")
    box = tab.locator(".stage").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    digits.kill()
    tab.mouse.move(x + 60, y, steps=6)
    tab.mouse.up()
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".saving[data-state=waiting]")
    assert "1 answer kept in this browser" in tab.locator(".saving").inner_text()
    digits.start()
    tab.goto(digits.entry)
    ready(tab)
    saved(tab)
    answers, masks = _stored(digits)
    assert answers == ["marked"] and len(masks) == 1 and masks[0] >= 5
    tab.reload()
    ready(tab)
    assert _stored(digits) == (answers, masks)
    tab.problems = [problem for problem in tab.problems if "Failed to load resource" not in problem]


def test_an_answer_that_was_stored_but_not_acknowledged_is_not_stored_again(tab: Any, digits: Served) -> None:
    open_item(tab, digits, "train", 0)

    def lost(route: Any) -> None:
        route.fetch()
        route.abort()

    tab.route("**/api/answer", lost, times=1)
    tab.locator(".proposals button").first.click()
    next_item(tab, tab.locator(".save").click)
    saved(tab)
    answers, masks = _stored(digits)
    assert (answers, len(masks)) == (["marked"], 1)
    tab.problems = [problem for problem in tab.problems if "Failed to load resource" not in problem]


def test_a_refused_answer_is_edited_with_its_marks_in_place(tab: Any, digits: Served) -> None:
    refusal = {"status": 422, "content_type": "application/json", "body": json.dumps({"error": "the data changed"})}
    tab.route("**/api/answer", lambda route: route.fulfill(**refusal), times=1)
    open_item(tab, digits, "train", 0)
    tab.locator(".proposals button").first.click()
    tab.locator(".note input").fill("its edge")
    next_item(tab, tab.locator(".save").click)
    notice = tab.locator(".notice")
    notice.get_by_text("the data changed").wait_for()
    assert _stored(digits)[0] == []
    notice.get_by_role("link", name="Edit").click()
    ready(tab)
    tab.wait_for_selector(".save[aria-disabled=false]")
    assert tab.locator(".note input").input_value() == "its edge"
    proposed = tab.evaluate("fetch('/api/item/train/0').then((r) => r.json())")["proposals"][0]
    next_item(tab, tab.locator(".save").click)
    saved(tab)
    notice.wait_for(state="detached")
    answers, masks = _stored(digits)
    assert answers == ["marked"] and masks[0] == round(28 * 28 * proposed["area"])
    tab.problems = [problem for problem in tab.problems if "422" not in problem]


def test_who_has_no_name_is_asked_once(tab: Any, digits: Served) -> None:
    def anonymous(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "reviewer": ""})

    tab.route("**/api/study", anonymous)
    open_item(tab, digits, "train", 0)
    tab.keyboard.press("n")
    tab.wait_for_selector(".introduction input:focus")
    next_item(tab, tab.get_by_role("button", name="Stay anonymous").click)
    next_item(tab, lambda: tab.keyboard.press("n"))
    saved(tab)
    assert _stored(digits)[0] == ["nothing wrong", "nothing wrong"]
