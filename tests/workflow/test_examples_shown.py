"""Which rows a report shows one by one."""

import torch

from corrigible.types import Feedback
from corrigible.workflow.examples import MOVED, OTHER, REVIEWED, chosen_examples, reviewed_rows


def test_reviewed_rows_come_first_then_those_whose_prediction_changed_then_others() -> None:
    before, after = torch.zeros(100, dtype=torch.long), torch.zeros(100, dtype=torch.long)
    after[[7, 50]] = 1
    found = chosen_examples([("train", 3), ("train", 9)], [before, after], "test", 100)
    assert [(example.split, example.row, example.reason) for example in found[:4]] == [
        ("train", 3, REVIEWED),
        ("train", 9, REVIEWED),
        ("test", 7, MOVED),
        ("test", 50, MOVED),
    ]
    assert len(found) == len(set(found)) == 8
    assert {example.reason for example in found[4:]} == {OTHER}


def test_of_numbers_the_rows_that_moved_furthest_are_shown_and_none_that_did_not_move() -> None:
    before, after = torch.zeros(5), torch.tensor([0.0, 3.0, 0.0, -9.0, 0.0])
    found = chosen_examples([], [before, after], "test", 5)
    assert [example.row for example in found if example.reason == MOVED] == [3, 1]
    assert sorted(example.row for example in found) == [0, 1, 2, 3, 4]


def test_rows_of_training_are_shown_before_those_that_were_marked_for_measuring() -> None:
    said = [Feedback("age", row=1, split="test"), Feedback("age", row=4), Feedback("age"), Feedback("site", row=4)]
    assert reviewed_rows(said) == [("train", 4)]
    assert reviewed_rows(said[:1]) == [("test", 1)]
