"""Statements that mark nothing or nearly everything."""

import numpy as np
import pytest
import torch

from corrigible.data.dataset import TensorData
from corrigible.errors import FeedbackError
from corrigible.feedback.extent import doubtful_extents, require_something_left
from corrigible.feedback.masks import marks_of
from corrigible.types import Columns, Feedback

NAMES = ("a", "b", "c")
TABLE = TensorData(torch.zeros(4, 3), torch.tensor([0, 1, 0, 1]), columns=Columns(NAMES, NAMES, (False,) * 3))
IMAGES = TensorData(torch.zeros(4, 1, 5, 5), torch.tensor([0, 1, 0, 1]))


def marked(num: int, **about) -> Feedback:
    return Feedback((np.arange(25) < num).reshape(5, 5), **about)


def test_nothing_and_most_are_doubted():
    feedback = [marked(0, row=1), marked(12, row=2), marked(24, row=3), marked(25, row=0, polarity="relevant")]
    nothing, most = doubtful_extents(feedback, IMAGES)
    assert (nothing.rows, most.rows) == ((1,), (3, 0))
    assert nothing.words.startswith("'irrelevant in row 1: 0 of 25 pixels' marks nothing")
    assert most.words.startswith("2 statements, such as 'irrelevant in row 3: 24 of 25 pixels', mark up to 100\u00a0%")


def test_ordinary_masks_and_features_raise_no_doubt():
    assert not list(doubtful_extents([marked(22, row=1), marked(1, scope="dataset")], IMAGES))
    assert not list(doubtful_extents([Feedback(["a", "b"], scope="dataset")], TABLE))


@pytest.mark.parametrize(
    ("feedback", "where"),
    [
        ([Feedback(NAMES, scope="dataset")], "every row"),
        ([Feedback("a", scope="dataset"), Feedback(["b", "c"], row=2)], "row 2"),
        ([Feedback("a", scope="dataset"), Feedback(["b", "c"], scope="class", label=1)], "class 1"),
    ],
)
def test_something_must_be_left_to_decide_by(feedback, where):
    with pytest.raises(FeedbackError, match=f"every input is marked irrelevant in {where}, so nothing is left"):
        require_something_left(marks_of(feedback, TABLE).irrelevant, TABLE)


def test_what_leaves_an_input_is_taken():
    feedback = [Feedback("a", scope="dataset"), Feedback("b", row=2), Feedback("c", row=1)]
    require_something_left(marks_of(feedback, TABLE).irrelevant, TABLE)
