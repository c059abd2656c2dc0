"""Nothing that was said is lost or stored twice: two tabs, a server that is killed, a reload."""

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
