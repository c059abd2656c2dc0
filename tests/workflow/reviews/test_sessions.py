"""A review in memory: wrong input is refused in one line, and what is stored is what `correct` takes."""

import numpy as np
import pytest
import torch
from torch import nn

from corrigible.errors import CorrigibleError
from corrigible.feedback.masks import marks_of
from corrigible.types import Feedback, Pixels
from corrigible.workflow.reviews.session import Session

X, Y, MODEL = torch.eye(6, 4), torch.arange(6) % 2, nn.Linear(4, 2)


@pytest.mark.parametrize(("given", "asked", "told"), [
    (("model", (X, Y)), {}, "of type str"),
    ((MODEL, X), {}, "with the labels beside the inputs"),
    ((MODEL, (X, None)), {}, "expected numbers"),
    ((MODEL, (torch.eye(6, 5), Y)), {}, "does not take rows of shape (5,)"),
    ((MODEL, (X, torch.arange(6))), {}, "the labels go up to 5 and the model has 2 classes"),
    ((MODEL, (torch.zeros(6, 2, 2), Y)), {}, "each row has shape (2, 2)"),
    ((MODEL, (X, Y), "race"), {}, "feedback is a str"),
    ((MODEL, (X, Y), [Feedback(Pixels(np.ones(4, bool)), row=9)]), {}, "9"),
    ((MODEL, (X, Y)), {"rows": 3}, "rows are 3"),
    ((MODEL, (X, Y)), {"rows": [1.5]}, "a row is 1.5"),
    ((MODEL, (X, Y)), {"rows": [6]}, "there is no row 6"),
    ((MODEL, (X, Y)), {"method": "gradcam"}, "unknown method"),
])  # fmt: skip
def test_wrong_input_is_refused_in_one_line(given, asked, told):
    with pytest.raises(CorrigibleError) as error:
        Session(*given, **asked)
    assert told in str(error.value) and "\n" not in str(error.value)


def an_answer(name):
    said = {"region": {"type": "features", "names": [name]}, "scope": "dataset", "polarity": "irrelevant"}
    return {"key": f"answer-of-{name.replace(' ', '-')}", "row": 1, "answer": "marked", "says": [said]}


def test_columns_without_names_are_numbered_and_marked_as_correct_takes_them():
    session = Session(MODEL, (X, Y))
    assert [part["feature"] for part in session.item(1)["table"]] == [f"column {place}" for place in range(4)]
    assert "error" not in session.asked("answer", an_answer("column 2"))
    (said,) = session.feedback
    assert said.region.mask.tolist() == [False, False, True, False]
    assert marks_of(session.feedback, session.given.data).irrelevant.everywhere.tolist() == [False, False, True, False]
    assert session.item(1)["said"][0]["text"] == "column 2"


@pytest.mark.parametrize(("do", "body", "told"), [
    ("answer", an_answer("column 4"), "no feature 'column 4'"),
    ("explain", {"row": 6, "method": ""}, "there is no row 6"),
    ("whatif", {"row": 6, "values": {}}, "there is no row 6"),
    ("forget", {}, "unknown question"),
    ("next", None, "expected an object"),
])  # fmt: skip
def test_a_question_that_cannot_be_answered_says_why(do, body, told):
    session = Session(MODEL, (X, Y))
    assert told in session.asked(do, body)["error"]
    assert session.feedback == [] and session.answers == []
