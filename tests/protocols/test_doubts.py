"""Feedback that contradicts the labels."""

import logging

import numpy as np
import torch
from torch import nn

from corrigible import Feedback, correct
from corrigible.data.dataset import TensorData
from corrigible.feedback.masks import marks_of
from corrigible.protocols.doubts import doubtful_rows, doubts
from corrigible.protocols.swap_score import swap_log_likelihoods, swap_score

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
    found = doubtful_rows(model, DATA, marks, rows, seed=3)
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
    assert doubts(sees_second(), DATA, marks_of(right, DATA)) is None
    found = doubts(sees_second(), DATA, marks_of(right + wrong, DATA))
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
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        correct(sees_second(), (X, Y), [Feedback(SECOND, scope="dataset")], penalties={}, epochs=1)
    assert caplog.text == ""  # Nothing was corrected.


def test_rows_that_are_hard_to_tell_anyway_raise_no_doubt():
    """A model that says nothing about the label: whatever is marked, the row itself is no better than a guess."""
    model = sees_second()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0, 0, -5], [0, 0, 0, 5]]))
    assert doubts(model, DATA, marks_of([Feedback(SECOND, scope="dataset")], DATA)) is None
