"""Pages and filters of many items."""

import numpy as np
import pytest

from corrigible.feedback.store import FeedbackStore
from corrigible.said import Answer
from corrigible.workflow.reviews.items import Items, Wanted
from corrigible.workflow.reviews.standing import Standing

FACTS = {"rows": 6, "labels": [0, 1, 0, 1, 0, 1], "texts": None, "words": []}
FACTS |= {"files": [f"train/a/{k}.png" for k in range(6)]}
SAID = {"prediction": "cat", "certainty": "90 %", "fingerprint": "0" * 16}


@pytest.fixture
def items():
    found = Items({"kind": "image", "classes": ["cat", "dog"], "splits": {"train": FACTS}})
    said = [{**SAID, "is_right": label == 0} for label in FACTS["labels"]]
    found.splits["train"].hear(0, said[:4])
    return found


@pytest.fixture
def standing(tmp_path):
    with FeedbackStore(tmp_path / "feedback.sqlite") as store:
        store.answer(Answer(1, "nothing wrong", author="Ada"))
        store.answer(Answer(2, "skipped", author="Ada"))
        found = Standing()
        found.catch_up(store)
        yield found


def rows(items, **wanted):
    return items.found(Wanted("train", **wanted)).tolist()


def test_what_is_not_predicted_yet_is_neither_right_nor_wrong(items):
    assert rows(items, show="wrong") == [1, 3]
    assert items.splits["train"].prediction(5) == (None, None, None)
    assert items.splits["train"].prediction(1) == ("cat", "90 %", False)


def test_filters_apply_together(items, standing):
    items.touch(standing)
    assert rows(items, show="reviewed") == [1]
    assert rows(items, show="unreviewed", label=1) == [3, 5]
    assert rows(items, text="/3.PNG") == [3]
    assert rows(items, rows=[5, 2], label=0) == [2]
    assert rows(items, text="xyz", holding=[4]) == [4]


def test_the_next_item_is_a_wrong_one_and_none_that_was_answered_or_skipped(items, standing):
    items.touch(standing)
    assert items.next_row("train", None)[0] == 3
    assert items.next_row("train", 3)[0] == 4
    items.splits["train"].reviewed[:] = True
    assert items.next_row("train", None) is None


def test_a_hundred_thousand_items_are_found_in_a_moment():
    count = 100_000
    facts = {"rows": count, "labels": np.arange(count) % 10, "texts": None, "files": [], "words": []}
    items = Items({"kind": "image", "classes": [str(k) for k in range(10)], "splits": {"train": facts}})
    assert rows(items, text="image 99999") == [99_999]
    assert len(rows(items, label=3, show="unreviewed")) == count // 10
