"""Changes that do not look at the model are made for several batches at once."""

from functools import partial

import pytest
import torch
from torch import nn

from corrigible.augment import adversarial_rows, input_noise, transplant
from corrigible.augment.transplant import cues_of
from corrigible.batches import collate, label_batches
from corrigible.protocols.ahead import MOST_NUMBERS, MOST_ROWS, changed_ahead, split_ahead
from cue_data import cue_data

CASE = cue_data("texts", num_rows=150)
MOVED = partial(transplant, cues=cues_of(CASE.data, CASE.marks, 0))
MODEL = nn.Identity()


def counted(seen):
    """A change that notes how many rows it saw, and that marks each row by its position."""

    def change(model, batch, generator):
        seen.append(len(batch.x))
        return batch

    return change


@pytest.mark.parametrize("marks", [None, CASE.marks])
def test_every_row_comes_once_in_its_batch_with_its_own_label(marks):
    batches = label_batches(CASE.data, 16, 3, marks=marks)
    found = list(changed_ahead(MODEL, batches, [MOVED], 0)(2))
    for before, after in zip(batches(2), found, strict=True):
        assert torch.equal(before.index, after.index)
        assert torch.equal(before.y, after.y)
        assert torch.equal(after.y, CASE.data.y[after.index])
        assert before.x.shape == after.x.shape
        assert (after.irrelevant is None) == (marks is None)


def test_the_changes_are_those_of_the_joined_rows():
    batches = label_batches(CASE.data, 16, 3)
    order = torch.cat([batch.index for batch in batches(0)])
    found = torch.cat([batch.x for batch in changed_ahead(MODEL, batches, [MOVED], 0)(0)])
    expected = MOVED(MODEL, collate(CASE.data, order), torch.Generator().manual_seed(0)).x
    assert torch.equal(found, expected)


def test_draws_depend_on_seed_and_epoch_and_repeat():
    batches = label_batches(CASE.data, 16, 3)

    def changed(seed, epoch):
        # The same rows in both epochs.
        return torch.cat([b.x for b in changed_ahead(MODEL, lambda _: batches(0), [MOVED], seed)(epoch)])

    assert torch.equal(changed(0, 0), changed(0, 0))
    assert not torch.equal(changed(0, 0), changed(1, 0))
    assert not torch.equal(changed(0, 0), changed(0, 1))


def test_so_many_rows_are_changed_together():
    seen: list[int] = []
    big = cue_data("texts", num_rows=3 * MOST_ROWS // 2)
    list(changed_ahead(MODEL, label_batches(big.data, 64, 0), [counted(seen)], 0)(0))
    assert seen == [MOST_ROWS, MOST_ROWS // 2]


def test_large_rows_are_changed_batch_by_batch():
    seen: list[int] = []
    width = MOST_NUMBERS // 4
    batches = label_batches([(torch.zeros(width), 0), (torch.zeros(width), 1)] * 4, 2, 0)
    list(changed_ahead(MODEL, batches, [counted(seen)], 0)(0))
    assert seen == [4, 4]


def test_no_change_leaves_the_batches_alone():
    batches = label_batches(CASE.data, 16, 3)
    assert changed_ahead(MODEL, batches, [], 0) is batches


def test_what_looks_at_the_model_and_all_behind_it_is_changed_step_by_step():
    noise, attacked = partial(input_noise, deviation=0.1), partial(adversarial_rows)
    assert split_ahead([MOVED, noise, attacked]) == ([MOVED, noise], [attacked])
    assert split_ahead([attacked, MOVED]) == ([], [attacked, MOVED])
    assert split_ahead([MOVED]) == ([MOVED], [])
    assert split_ahead([]) == ([], [])
