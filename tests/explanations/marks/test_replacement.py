"""What takes the place of marked inputs belongs to a row, and categories stay categories."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations.marks.replacement import class_mean, noise, other_rows, replaced, with_whole_categories
from corrigible.models.forward import Forward
from corrigible.types import Batch, Columns

COLUMNS = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
ROWS = torch.tensor([[1.0, 1.0, 0.0], [2.0, 0.0, 1.0], [4.0, 1.0, 0.0], [8.0, 0.0, 1.0]])


def table(seed=0, **changes):
    batch = Batch(torch.arange(4), ROWS, torch.tensor([0, 0, 0, 1]), torch.ones(4, 3).bool(), columns=COLUMNS)
    return Forward(nn.Linear(3, 2), replace(batch, **changes), seed=seed)


def test_no_row_of_the_batch_is_its_own_donor_and_all_others_are():
    drawn = [other_rows(table(seed), None, "a")[:, 0].tolist() for seed in range(40)]
    for row, own in enumerate(ROWS[:, 0].tolist()):
        assert {values[row] for values in drawn} == {1.0, 2.0, 4.0, 8.0} - {own}


def test_images_of_the_batch_lend_what_is_marked_on_them():
    marked = torch.tensor([[True, True, False], [True, True, False]]).view(2, 1, 1, 3)
    batch = Batch(torch.arange(2), torch.arange(1.0, 7.0).view(2, 1, 1, 3), torch.tensor([0, 1]), marked)
    forward, donors = Forward(nn.Flatten(), batch), torch.tensor([1.0, 2.0, 1.5, 4.0, 5.0, 4.5]).view(2, 1, 1, 3)
    assert other_rows(forward, None, "a").flatten(1).tolist() == [[4, 5, 4.5], [1, 2, 1.5]]
    assert torch.equal(noise(forward, None, "a"), noise(forward, donors, "a"))


def test_a_row_alone_keeps_its_values():
    only = {"index": torch.tensor([5]), "x": ROWS[:1], "y": torch.tensor([0]), "irrelevant": torch.ones(1, 3).bool()}
    assert torch.equal(other_rows(table(**only), None, "a"), ROWS[:1])


def test_neither_order_nor_repetition_changes_a_rows_donor():
    places = torch.tensor([3, 0, 2, 0, 1])
    mixed = table(index=places, x=ROWS[places], y=places.clamp(max=1), irrelevant=torch.ones(5, 3).bool())
    assert torch.equal(other_rows(mixed, None, "a"), other_rows(table(), None, "a")[places])


def test_every_row_of_the_donors_is_drawn_and_nothing_else():
    donors = 10 + ROWS[:2]
    drawn = torch.cat([other_rows(table(seed), donors, "a") for seed in range(20)])
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in donors.tolist()}


def test_noise_has_the_donors_mean_and_deviation_and_leaves_categories_whole():
    donors = torch.tensor([[1.0, 1.0, 0.0], [5.0, 0.0, 1.0]])
    marked, y = torch.ones(8000, 3).bool(), torch.zeros(8000, dtype=torch.long)
    many = table(index=torch.arange(8000), x=ROWS.repeat(2000, 1), y=y, irrelevant=marked)
    drawn = noise(many, donors, "a")
    assert abs(drawn[:, 0].mean() - 3) < 0.1
    assert abs(drawn[:, 0].std() - 2) < 0.1
    assert {tuple(row) for row in drawn[:, 1:].tolist()} == {(1.0, 0.0), (0.0, 1.0)}


def test_the_mean_of_a_class_and_its_commonest_category():
    found = class_mean(table(), None)
    assert found.tolist() == [[pytest.approx(7 / 3), 1.0, 0.0]] * 3 + [[8.0, 0.0, 1.0]]
    means = torch.tensor([[9.0, 0.4, 0.6], [7.0, 0.9, 0.1]])
    assert class_mean(table(), means).tolist() == [[9.0, 0.0, 1.0]] * 3 + [[7.0, 1.0, 0.0]]


def test_a_category_marked_in_part_is_replaced_whole():
    marked = torch.tensor([[False, True, False], [True, False, False]])
    assert with_whole_categories(marked, COLUMNS).tolist() == [[False, True, True], [True, False, False]]
    batch = Batch(torch.arange(2), ROWS[:2], torch.tensor([0, 1]), marked, columns=COLUMNS)
    assert replaced(batch, ROWS[:2], -ROWS[:2]).tolist() == [[1.0, -1.0, -0.0], [-2.0, 0.0, 1.0]]


def test_rows_and_means_of_other_inputs_are_refused():
    for donors in (torch.zeros(2, 4), torch.zeros(0, 3)):
        with pytest.raises(DataError, match="table of donors has shape"):
            other_rows(table(), donors, "a")
    with pytest.raises(DataError, match="class_means have shape"):
        class_mean(table(), torch.zeros(2, 4))
