"""Rows of a table and texts: marks and rules, what if, and taking back."""

from typing import Any

import pytest
from served import Served, entered, next_item, open_item, saved

from corrigible.feedback.store import FeedbackStore
from corrigible.said import Feedback


def _active(served: Served) -> list[Feedback]:
    with FeedbackStore(served.study / "feedback.sqlite") as store:
        return [feedback for _, feedback in store.active()]


@pytest.fixture
def table_tab(browser: Any, table: Served) -> Any:
    found = entered(browser, table)
    yield found
    assert found.problems == []
    found.context.close()


@pytest.fixture
def text_tab(browser: Any, text: Served) -> Any:
    found = entered(browser, text)
    yield found
    assert found.problems == []
    found.context.close()


def test_a_feature_is_marked_for_all_rows_and_taken_back(table_tab: Any, table: Served) -> None:
    tab = table_tab
    open_item(tab, table, "train", 0)
    tab.locator(".features li", has_text="site").locator(".mark-one").click()
    tab.get_by_label("every row").check(force=True)
    tab.wait_for_selector(".save:has-text('Save for')")
    next_item(tab, tab.locator(".save").click)
    saved(tab)
    (feedback,) = _active(table)
    assert (feedback.scope, str(feedback.region)) == ("dataset", "site")
    tab.goto(f"{table.address}/feedback")
    tab.get_by_role("button", name="Retract").click()
    tab.wait_for_selector("text=0 remarks")
    assert _active(table) == []


def test_changed_values_move_the_prediction_and_the_bars(table_tab: Any, table: Served) -> None:
    tab = table_tab
    open_item(tab, table, "train", 0)
    shares = tab.locator(".features .number").all_inner_texts()
    tab.keyboard.press("w")
    field = tab.locator(".features li", has_text="site").locator(".field")
    other = next(option for option in field.locator("option").all_inner_texts() if option != field.input_value())
    field.select_option(other)
    tab.wait_for_function("() => document.querySelector('.if-changed').textContent.includes('→')")
    assert tab.locator(".features .number").all_inner_texts() != shares
    tab.get_by_role("button", name="Back to the values of the row").click()
    assert tab.locator(".features .number").all_inner_texts() == shares
    assert tab.locator(".if-changed").inner_text() == ""


def test_a_phrase_is_marked_wherever_it_stands(text_tab: Any, text: Served) -> None:
    tab = text_tab
    open_item(tab, text, "train", 0)
    words = tab.locator(".word")
    wanted = [words.nth(place).inner_text() for place in (1, 2)]
    words.nth(1).click()
    words.nth(2).click()
    tab.get_by_label("every text").check(force=True)
    tab.wait_for_selector(".save:has-text('Save for')")
    assert tab.locator(".counts").inner_text()
    next_item(tab, tab.locator(".save").click)
    saved(tab)
    (feedback,) = _active(text)
    assert (feedback.scope, str(feedback.region)) == ("dataset", " ".join(wanted).lower())


def test_training_rows_that_taught_it_are_listed_and_lead_to_their_pages(table_tab: Any, table: Served) -> None:
    tab = table_tab
    open_item(tab, table, "train", 0)
    assert tab.locator(".taught ul").count() == 0  # Nothing is asked before somebody opens it.
    tab.locator(".taught summary").click()
    tab.wait_for_selector(".taught .groups a")
    first = tab.locator(".taught .groups a").first
    assert first.inner_text().startswith("row ")
    address = first.get_attribute("href")
    first.click()
    tab.wait_for_url(f"**{address}")


def test_a_change_to_another_class_is_shown_and_what_changed_is_marked(table_tab: Any, table: Served) -> None:
    tab = table_tab
    open_item(tab, table, "train", 0)
    tab.locator(".why-not button", has_text="Why not").click()
    tab.wait_for_selector(".truth")
    tab.wait_for_function("() => document.querySelector('.if-changed').textContent.includes('→')")
    wanted = tab.locator(".why-not button").first.inner_text().split("“")[1].rstrip("”?")
    assert f"→ {wanted}" in tab.locator(".if-changed").inner_text()
    tab.get_by_role("button", name="No: mark what changed").click()
    assert tab.locator(".truth").count() == 0
    marked = tab.locator(".features li[data-marked=irrelevant] .name").all_inner_texts()
    sentence = tab.locator(".answer-why p").first.inner_text()
    assert marked and all(name in sentence for name in marked)
    next_item(tab, tab.locator(".save").click)
    saved(tab)
    (feedback,) = _active(table)
    assert (feedback.scope, feedback.polarity) == ("row", "irrelevant")
    assert set(feedback.region.names) == set(marked)
