"""Feedback that contradicts the labels."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from corrigible import Feedback, correct
from corrigible.data.dataset import TensorData
from corrigible.feedback.masks import marks_of
from corrigible.protocols.corrections.judge import build_judge
from corrigible.protocols.corrections.label_conflicts import conflicting_rows, label_conflicts
from corrigible.protocols.corrections.mask_checks import LEAST_MASKS, NUM_NAMED, beside_the_cue, shows_the_class
from corrigible.protocols.corrections.swap_score import swap_log_likelihoods, swap_score
from cue_data import CLASSES, KINDS, NUM_ORDINARY, Sees, cue_data

X = torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 1] > 0).long()
FIRST, SECOND = (np.arange(4) == place for place in (0, 1))
DATA = TensorData(X, Y)


def sees_second() -> nn.Module:
    """Tells the label from the second input, as it is."""
    model = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, -3, 0, 0], [0, 3, 0, 0]]))
    return model


def test_a_row_is_in_doubt_where_its_label_is_less_likely_than_frequent():
    """Row by row: the mean log-likelihood over the ten donors against the frequency of the class."""
    marks = marks_of([Feedback(SECOND, scope="dataset")], DATA)
    rows = torch.arange(80)
    model = sees_second()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, -0.3, -2, 0], [0, 0.3, 2, 0]]))
    found = conflicting_rows(model, DATA, marks, rows, seed=3)
    donors = torch.randperm(80, generator=torch.Generator().manual_seed(3))[:10]
    expected = {}
    for row in range(80):
        x = X[row].repeat(10, 1)
        x[:, 1] = X[donors, 1]
        likelihood = model(x).log_softmax(dim=1)[:, Y[row]].mean().item()
        whole = model(X[row][None]).log_softmax(dim=1)[0, Y[row]].item()
        if likelihood < Y.eq(Y[row]).double().mean().log() and whole - likelihood > np.log(2):
            expected[row] = likelihood
    assert found.tolist() == sorted(expected, key=expected.__getitem__)
    assert 3 < len(found) < 80


def test_rows_parts_make_up_the_swap_score():
    marks = marks_of([Feedback(SECOND, scope="dataset")], DATA)
    rows = torch.arange(30)
    parts = swap_log_likelihoods(sees_second(), DATA, marks, rows, num_donors=7, seed=1)
    assert parts.shape == (30,)
    assert swap_score(sees_second(), DATA, marks, rows, num_donors=7, seed=1) == parts.mean().item()


def test_right_feedback_raises_no_doubt_and_wrong_feedback_names_its_rows():
    right = [Feedback(FIRST, row=row) for row in range(30)]
    wrong = [Feedback(SECOND, row=row) for row in range(30, 40)]
    assert label_conflicts(sees_second(), DATA, marks_of(right, DATA)) is None
    found = label_conflicts(sees_second(), DATA, marks_of(right + wrong, DATA))
    assert found.num_rows == 40
    assert set(found.rows) <= set(range(30, 40))
    assert len(found.rows) >= 4
    assert f"rows {found.rows[0]}, {found.rows[1]}" in found.message


def test_correct_warns(caplog):
    with caplog.at_level(logging.WARNING):
        correct(sees_second(), (X, Y), [Feedback(SECOND, scope="dataset")], penalties={"right_reasons": 10.0}, epochs=1)
    assert "the feedback contradicts the labels" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        correct(sees_second(), (X, Y), [Feedback(FIRST, scope="dataset")], penalties={"right_reasons": 10.0}, epochs=1)
    assert "look again" not in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        correct(sees_second(), (X, Y), [Feedback(SECOND, scope="dataset")], penalties={}, epochs=1)
    assert caplog.text == ""  # Nothing was corrected.


def test_rows_that_are_hard_to_tell_anyway_raise_no_doubt():
    """A model that says nothing about the label: whatever is marked, the row itself is no better than a guess."""
    model = sees_second()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0, 0, -5], [0, 0, 0, 5]]))
    assert label_conflicts(model, DATA, marks_of([Feedback(SECOND, scope="dataset")], DATA)) is None


def judge_of(case):
    return build_judge(case.data, case.marks)


def drawn_to_the_cue(case):
    """A network that goes by the cue first, and else by what shows the class."""
    return Sees(lambda x: case.signal(x) + 2 * case.cue(x))


def partly_misplaced(kind, cued, share):
    """Masks of which that share, drawn, lie on what tells nothing: the last word or number, or a corner below."""
    case = cue_data(kind, cued=cued, num_rows=360, num_reviewed=24)
    place = case.place.clone()
    drawn = torch.randperm(24, generator=torch.Generator().manual_seed(1))[: round(share * 24)]
    rows = sorted(case.reviewed[number] for number in drawn.tolist())
    for row in rows:
        place[row] = False
        if kind in ("numbers", "categories"):
            place[row, case.data.columns.feature.index("age")] = True
        elif kind == "texts":
            place[row, -1] = True
        else:
            place[row, :, -4:-2, -2:] = True
    return case.with_masks(place), rows


@pytest.mark.parametrize("cued", [(0,), CLASSES], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_masks_beside_the_cue_are_named_and_no_others(kind, cued):
    """A third of them. Worn, they draw nobody anywhere, while the others draw everybody to the cue's class."""
    case, rows = partly_misplaced(kind, cued, 1 / 3)
    judge = judge_of(case)
    found = beside_the_cue(judge, judge.judged(drawn_to_the_cue(case)))
    assert sorted(found.rows) == rows
    assert found.num_rows == 24
    assert (
        f"{len(rows)} of the 24 reviewed rows that could be compared seem to be marked beside the cue" in found.message
    )
    assert str(list(found.rows[:NUM_NAMED]))[1:-1] in found.message
    assert f"and {len(rows) - NUM_NAMED} more" in found.message


@pytest.mark.parametrize("cued", [(0,), CLASSES], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_right_masks_are_not_doubted(kind, cued):
    """Neither on a model that goes by the cue, nor on one that goes by what shows the class."""
    case, _ = partly_misplaced(kind, cued, 0.0)
    judge = judge_of(case)
    fooled, right = judge.judged(drawn_to_the_cue(case)), judge.judged(Sees(case.signal))
    assert [beside_the_cue(judge, fooled), beside_the_cue(judge, right), shows_the_class(judge, right)] == [None] * 3


def test_a_single_mask_beside_the_cue_is_chance():
    case, _ = partly_misplaced("numbers", (0,), 1 / 24)
    judge = judge_of(case)
    assert beside_the_cue(judge, judge.judged(drawn_to_the_cue(case))) is None


def test_too_few_masks_cannot_be_compared():
    case = cue_data("numbers", num_reviewed=LEAST_MASKS - 1)
    judge = judge_of(case)
    assert beside_the_cue(judge, judge.judged(drawn_to_the_cue(case))) is None


@pytest.mark.parametrize("kind", KINDS)
def test_masks_on_what_shows_the_class_are_named(kind):
    """Half of these at least: by chance, what others wear instead may show the same class."""
    case = cue_data(kind, num_reviewed=24)
    place, rows = case.place.clone(), [1, 4, 8, 11, 15, 20]
    for row in rows:
        place[row] = False
        if kind in ("numbers", "categories"):
            place[row, -3:] = True
        elif kind == "texts":
            place[row] = (case.data.tokens.ids[row] == NUM_ORDINARY + case.data.y[row])[:, None]
        else:
            place[row, :, -2] = True
    case = case.with_masks(place)
    judge = judge_of(case)
    found = shows_the_class(judge, judge.judged(Sees(case.signal)))
    assert set(found.rows) <= set(rows)
    assert len(found.rows) >= len(rows) / 2
    assert "the mask may hold what shows the class" in found.message
    assert f"what is marked on {len(found.rows)} of 24" in found.message
