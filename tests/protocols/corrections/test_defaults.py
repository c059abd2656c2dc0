"""The method that a correction takes where nobody names one."""

import numpy as np
import pytest
import torch

from corrigible import Feedback
from corrigible.data.dataset import TensorData
from corrigible.feedback.masks import marks_of
from corrigible.protocols.corrections.defaults import default_method
from cue_data import KINDS, cue_data

PENALTY = {"energy_outside": {"weight": "auto"}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("polarities", [("irrelevant",), ("irrelevant", "relevant")])
def test_marked_content_is_moved_between_rows(kind, polarities):
    case = cue_data(kind, num_rows=30, num_reviewed=4)
    said = [
        Feedback(one.region, polarities[place % len(polarities)], row=one.row) for place, one in enumerate(case.said)
    ]
    found = default_method(case.data, marks_of(said, case.data))
    assert (found.augment, found.penalties) == ({"transplant": {}}, {})
    assert found.message.startswith("method: transplant; ")


@pytest.mark.parametrize("kind", KINDS)
def test_where_people_only_said_what_should_matter_a_penalty_teaches_it(kind):
    case = cue_data(kind, num_rows=30, num_reviewed=4)
    said = [Feedback(one.region, "relevant", row=one.row) for one in case.said]
    found = default_method(case.data, marks_of(said, case.data))
    assert (found.augment, found.penalties) == ({}, PENALTY)
    assert found.message == "method: energy_outside; the feedback says what should matter"


@pytest.mark.parametrize(("num_backgrounds", "augment"), [(0, True), (1, True), (3, False), (4, False)])
def test_marked_backgrounds_cannot_be_put_onto_other_images(num_backgrounds, augment):
    """A background: more than half of the image, on more than half of the reviewed rows."""
    images = TensorData(torch.rand(8, 1, 6, 6), torch.arange(8) % 2)
    background, sticker = np.ones((6, 6), bool), np.zeros((6, 6), bool)
    background[2:4, 2:4] = False
    sticker[:2, :2] = True
    said = [Feedback(background if row < num_backgrounds else sticker, row=row) for row in range(4)]
    found = default_method(images, marks_of(said, images))
    assert bool(found.augment) == augment
    assert bool(found.penalties) != augment
    if not augment:
        assert found.penalties == PENALTY
        assert found.message.startswith("method: energy_outside; most of each row is marked, which cannot be put")


def test_of_a_table_most_features_may_be_marked():
    case = cue_data("numbers", num_rows=30)
    rule = Feedback(("scanner", "age", "first", "second"), scope="dataset")
    assert default_method(case.data, marks_of([rule], case.data)).augment == {"transplant": {}}


def test_rules_count_on_the_rows_that_they_are_about():
    images = TensorData(torch.rand(8, 1, 6, 6), torch.arange(8) % 2)
    background = Feedback(np.ones((6, 6), bool), scope="class", label=1)
    sticker = Feedback(np.eye(6, dtype=bool), row=0)
    assert default_method(images, marks_of([background, sticker], images)).penalties == PENALTY
