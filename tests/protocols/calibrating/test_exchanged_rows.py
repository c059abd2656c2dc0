"""Marked content is dealt out anew among the rows to calibrate on; everything else stays."""

from dataclasses import replace

import pytest
import torch

from corrigible import Feedback
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, FeedbackError
from corrigible.protocols.calibrating.exchanged_rows import calibration_rows, exchanged_logits
from cue_data import KINDS, CueData, cue_data

IN_PLACE = [kind for kind in KINDS if kind != "moving_sticker"]
every_kind_in_place = pytest.mark.parametrize("kind", IN_PLACE)


def all_marked(made: CueData) -> list[Feedback]:
    return [Feedback(mask.numpy(), row=row) for row, mask in enumerate(made.place) if bool(mask.any())]


def dealt(rows, seed=0):
    return torch.cat(list(rows.dealt(seed)))


def agreement(made, x, y):
    """How often the cue that a row holds is that of its class."""
    cue = made.cue(x)
    return float((cue.argmax(dim=1) == y)[cue.any(dim=1)].double().mean())


@every_kind_in_place
def test_every_content_is_still_there_once_and_says_nothing_of_the_label(kind):
    made = cue_data(kind)
    rows = calibration_rows(made.data, all_marked(made), None)
    assert torch.equal(rows.index, torch.arange(240))
    x = dealt(rows)
    assert torch.equal(made.cue(x).sum(dim=0), made.cue(made.data.x).sum(dim=0))
    assert agreement(made, made.data.x, made.data.y) == 1
    assert 0.2 < agreement(made, x, rows.y) < 0.47
    assert torch.equal(made.signal(x), made.signal(made.data.x))


@every_kind_in_place
def test_rows_without_marks_get_other_content_where_marked_rows_are_marked(kind):
    made, validation = cue_data(kind), cue_data(kind, seed=1)
    rows = calibration_rows(made.data, made.said, validation.data)
    x = dealt(rows)
    assert torch.equal(made.cue(x).sum(dim=0), made.cue(validation.data.x).sum(dim=0))
    assert 0.2 < agreement(made, x, rows.y) < 0.47
    assert torch.equal(made.signal(x), made.signal(validation.data.x))


@every_kind_in_place
def test_rows_of_classes_that_nobody_marked_are_used_and_get_the_content_too(kind):
    made = cue_data(kind, cued=(1,))
    rows = calibration_rows(made.data, all_marked(made), None)
    assert len(rows.index) == 240
    held = made.cue(dealt(rows))[:, 1] > 0
    assert int(held.sum()) == 80
    shares = [float(held[rows.y == label].double().mean()) for label in (0, 1, 2)]
    assert max(shares) - min(shares) < 0.25


def test_marks_of_a_moving_cue_take_it_from_its_place():
    made = cue_data("moving_sticker")
    x = dealt(calibration_rows(made.data, all_marked(made), None))
    assert torch.equal(x[~made.place], made.data.x[~made.place])
    assert float((made.cue(x).argmax(dim=1) == made.data.y)[made.cue(x).any(dim=1)].double().mean()) < 0.6


def test_a_cue_in_one_of_a_few_places_is_exchanged_in_all_of_them():
    x, y = torch.rand(80, 1, 8, 8), torch.arange(80) % 2
    left = (torch.arange(80) // 2) % 2 == 0
    x[left, 0, :2, :2] = 2.0 + y[left, None, None]
    x[~left, 0, :2, 6:] = 2.0 + y[~left, None, None]
    said = [Feedback((x[row, 0] >= 2).numpy(), row=row) for row in range(20)]
    changed = dealt(calibration_rows((x, y), said, (x, y)))
    assert int((changed >= 2).sum()) == int((x >= 2).sum())
    found = changed.flatten(1).amax(dim=1) - 2
    assert 0.3 < float((found == y).double().mean()) < 0.7


def test_only_marked_rows_are_used_if_they_are_of_every_class():
    made = cue_data("numbers")
    rows = calibration_rows(made.data, made.said, None)
    assert rows.index.tolist() == list(range(30))
    assert rows.is_exchanged


def test_rules_mark_the_validation_rows():
    made, validation = cue_data("numbers"), cue_data("numbers", seed=1)
    rows = calibration_rows(made.data, [Feedback("scanner", scope="dataset")], validation.data)
    x = dealt(rows)
    assert torch.equal(x[:, 0].sort().values, validation.data.x[:, 0].sort().values)
    assert torch.equal(x[:, 1:], validation.data.x[:, 1:])


def test_without_feedback_rows_are_as_they_are():
    made = cue_data("numbers")
    rows = calibration_rows(made.data, None, None)
    assert not rows.is_exchanged
    assert torch.equal(dealt(rows), made.data.x)
    logits = exchanged_logits(torch.nn.Linear(5, 3), rows, num_exchanges=4, samples=None, seed=0)
    assert logits.shape == (1, 240, 3)
    assert logits.dtype == torch.float64


def test_the_same_seed_gives_the_same_exchange_and_another_another():
    made = cue_data("texts")
    rows = calibration_rows(made.data, made.said, None)
    assert torch.equal(dealt(rows, 3), dealt(rows, 3))
    assert not torch.equal(dealt(rows, 3), dealt(rows, 4))


def test_what_cannot_be_exchanged_is_refused():
    made = cue_data("numbers")
    with pytest.raises(FeedbackError, match="no feedback"):
        calibration_rows(made.data, [], None)
    same = replace(made.data, x=torch.cat([torch.ones(240, 1), made.data.x[:, 1:]], dim=1))
    with pytest.raises(FeedbackError, match="hold the same where they are marked"):
        dealt(calibration_rows(same, [Feedback("scanner", scope="dataset")], None))
    with pytest.raises(DataError, match="of classes; the labels are of the task 'amounts'"):
        calibration_rows(TensorData(made.data.x, made.data.x[:, 1], task="amounts"), None, None)


def test_a_marked_background_is_exchanged_on_marked_rows_and_laid_over_no_other():
    x, y = torch.rand(20, 1, 4, 4), torch.arange(20) % 2
    frame = torch.ones(4, 4, dtype=torch.bool)
    frame[1:3, 1:3] = False
    said = [Feedback(frame.numpy(), row=row) for row in range(10)]
    changed = dealt(calibration_rows((x, y), said, None))
    assert torch.equal(changed[:, 0, ~frame], x[:10, 0, ~frame])
    assert torch.equal(changed[:, 0, frame].sort(dim=0).values, x[:10, 0, frame].sort(dim=0).values)
    with pytest.raises(FeedbackError, match="a background, which cannot be laid over"):
        dealt(calibration_rows((x, y), said, (x, y)))
