"""Batches: every row once, the same order for the same seed, and the masks that belong to the rows."""

from itertools import islice

import numpy as np
import pytest
import torch

from corrigible.batches import collate, label_batches, reviewed_batches
from corrigible.data.dataset import TensorData
from corrigible.feedback.masks import Marks, marks_of
from corrigible.types import Batch, Columns, Feedback, region_of

COLUMNS = Columns(("age", "dose"), ("age", "dose"), (False, False))
ROWS = torch.tensor([1, 4, 5, 8, 9])


def said(region, **others) -> Feedback:
    return Feedback(region_of(region), **others)


@pytest.fixture
def data() -> TensorData:
    x = torch.arange(22.0).reshape(11, 2)
    return TensorData(x, torch.arange(11) % 3, torch.arange(11) % 2, COLUMNS)


@pytest.fixture
def marks(data) -> Marks:
    return marks_of([said(np.array([True, False]), row=row) for row in ROWS.tolist()], data)


def test_collate_joins_rows_and_masks(data, marks):
    index = torch.tensor([4, 0])
    batch = collate(data, index, marks)
    assert torch.equal(batch.index, index)
    assert torch.equal(batch.x, data.x[index])
    assert batch.y.tolist() == [1, 0]
    assert batch.group.tolist() == [0, 0]
    assert batch.irrelevant.tolist() == [[True, False], [False, False]]
    assert batch.relevant.shape == batch.x.shape
    assert not batch.relevant.any()
    assert batch.columns is COLUMNS


def test_collate_without_feedback_gives_no_masks(data):
    batch = collate(data, torch.tensor([4, 0]))
    assert batch.irrelevant is None
    assert batch.relevant is None


def test_an_epoch_shows_every_row_once(data):
    sizes = [len(batch.x) for batch in label_batches(data, 4, seed=0)(0)]
    assert sizes == [4, 4, 3]
    index = torch.cat([batch.index for batch in label_batches(data, 4, seed=0)(0)])
    assert index.sort().values.tolist() == list(range(11))


def test_label_batches_may_be_marked(data, marks):
    for batch in label_batches(data, 4, seed=0, marks=marks)(0):
        assert torch.equal(batch.irrelevant[:, 0], torch.isin(batch.index, ROWS))
        assert not batch.irrelevant[:, 1].any()


def order(batches, epoch: int) -> list[int]:
    return torch.cat([batch.index for batch in islice(batches(epoch), 6)]).tolist()


@pytest.mark.parametrize("reviewed", [False, True])
def test_the_order_belongs_to_the_seed_and_the_epoch(reviewed, data, marks):
    def batches(seed):
        return reviewed_batches(data, marks, ROWS, 2, seed) if reviewed else label_batches(data, 4, seed)

    before = torch.get_rng_state()
    assert order(batches(0), 1) == order(batches(0), 1)
    assert len({tuple(order(batches(seed), epoch)) for seed in (0, 1, 2) for epoch in (0, 1)}) == 6
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("seed", [20_240_101, 2**62, -1])
def test_any_seed_will_do(seed, data, marks):
    assert sorted(order(label_batches(data, 4, seed), 3)) == list(range(11))
    assert len(order(reviewed_batches(data, marks, ROWS, 2, seed), 3)) == 12


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
def test_every_reviewed_row_comes_once_before_any_comes_again(batch_size, data, marks):
    batches = islice(reviewed_batches(data, marks, ROWS, batch_size, seed=0)(0), 25)
    shown = torch.cat([batch.index for batch in batches])
    assert len(shown) == 25 * batch_size
    for round_ in shown.split(len(ROWS)):
        assert round_.sort().values.tolist() == ROWS.tolist()


def test_rounds_differ_in_their_order(data, marks):
    batches = islice(reviewed_batches(data, marks, ROWS, 5, seed=0)(0), 20)
    assert len({tuple(batch.index.tolist()) for batch in batches}) > 5


def test_a_batch_is_no_larger_than_the_reviewed_rows(data, marks):
    batch = next(reviewed_batches(data, marks, ROWS, 32, seed=0)(0))
    assert batch.index.sort().values.tolist() == ROWS.tolist()
    assert batch.irrelevant.tolist() == [[True, False]] * 5


@pytest.mark.parametrize(("num_rows", "sizes"), [(9, [4, 5]), (10, [4, 4, 2]), (1, [1]), (5, [5])])
def test_a_single_row_is_never_left_over(num_rows, sizes):
    dataset = TensorData(torch.zeros(num_rows, 2), torch.zeros(num_rows, dtype=torch.long))
    assert [len(batch.x) for batch in label_batches(dataset, 4, 0)(0)] == sizes


def test_rows_of_a_batch_are_taken_with_all_that_is_known_of_them() -> None:
    batch = Batch(
        torch.arange(3), torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1, 0]), extra={"exposure": torch.arange(3.0)}
    )
    found = batch.taken(torch.tensor([2, 0, 2]))
    assert found.index.tolist() == found.extra["exposure"].tolist() == [2, 0, 2]
    assert found.x.tolist() == [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]
    assert found.irrelevant is None
