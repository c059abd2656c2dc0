"""Agreement as it is defined, and contradictions that are found wherever they were said."""

from dataclasses import replace

import numpy as np
import pytest

from corrigible.feedback.store import FeedbackStore
from corrigible.said import Answer
from corrigible.types import Features, Feedback, Phrase, Pixels
from corrigible.workflow.reviews.agreement import agreement_of, conflicts_of, krippendorff_alpha, overlap
from corrigible.workflow.reviews.standing import Standing

MASK = np.zeros((4, 4), bool)
MASK[:2] = True


def test_alpha_of_the_example_of_krippendorff():
    # Krippendorff 2011, section C: nominal data, four observers, twelve units, missing answers; alpha is 0.743.
    observers = (
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    )
    units = [[answer for answer in unit if answer != "."] for unit in zip(*map(str.split, observers), strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=0.0005)


def test_alpha_is_1_where_all_agree_and_unknown_where_nobody_could_disagree():
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
    assert krippendorff_alpha([["a"], []]) is None


def test_overlap_is_the_common_part_of_all_that_was_marked():
    other = np.zeros((4, 4), bool)
    other[1:3] = True
    assert overlap(Pixels(MASK), Pixels(other)) == pytest.approx(1 / 3)
    assert overlap(Features(("a", "b")), Features(("b",))) == 0.5
    assert overlap(Features(("a",)), Phrase(("a",))) == 0
    assert overlap(Pixels(MASK), Pixels(MASK[:2])) == 0


@pytest.fixture
def store(tmp_path):
    with FeedbackStore(tmp_path / "feedback.sqlite") as store:
        yield store


def stood(store):
    standing = Standing()
    standing.catch_up(store)
    return standing


def test_the_same_region_both_ways_is_a_conflict_until_one_is_taken_back(store):
    mark = Feedback(Pixels(MASK), row=3, author="Ada")
    store.add_all([mark, replace(mark, polarity="relevant", author="Bo"), replace(mark, row=4, polarity="relevant")])
    (found,) = conflicts_of(stood(store), None)
    assert found["href"] == "/item/train/3"
    store.retract(2)
    assert conflicts_of(stood(store), None) == []


def test_rules_conflict_too(store):
    rule = Feedback(Features(("site",)), scope="class", label=1)
    store.add_all([rule, replace(rule, polarity="relevant"), replace(rule, polarity="relevant", label=0)])
    assert len(conflicts_of(stood(store), None)) == 1


def test_reviewers_who_answer_otherwise_disagree_unless_one_skips(store):
    store.answer(Answer(1, "nothing wrong", author="Ada"))
    store.answer(Answer(1, "skipped", author="Bo"))
    assert conflicts_of(stood(store), None) == []
    assert agreement_of(stood(store), store)["value"] is None
    store.answer(Answer(1, "not sure", author="Bo"))
    assert stood(store).disagree(("train", 1))
    assert "Ada “nothing wrong”" in conflicts_of(stood(store), None)[0]["sentence"]
    store.answer(Answer(1, "nothing wrong", author="Bo"))
    assert not stood(store).disagree(("train", 1))


def test_what_stands_follows_the_store_change_by_change(store):
    standing = Standing()
    store.add(Feedback(Pixels(MASK), row=3))
    standing.catch_up(store)
    assert (standing.marks(("train", 3)), standing.version(("train", 3)), standing.answer(("train", 3))) == (
        1,
        1,
        "marked",
    )
    store.answer(Answer(3, "not sure"))
    store.retract(1)
    standing.touched.clear()
    standing.catch_up(store)
    assert standing.touched == {("train", 3)}
    assert (standing.marks(("train", 3)), standing.version(("train", 3))) == (0, store.version("train", 3))
