"""Parts, masks and what lies elsewhere."""

import numpy as np
import pytest
import torch

from corrigible.errors import DataError, RecipeError
from corrigible.regions.candidates import as_region, box_of, elsewhere, masks_of_parts, parts_of
from corrigible.types import Columns, Features, Pixels

TABLE = Columns(("age", "site=1", "site=2", "dose"), ("age", "site", "site", "dose"), (False, True, True, False))


def test_parts_are_cells_features_or_places_and_their_masks_lay_out_the_input():
    assert parts_of((2, 4, 6), None, cell=2)[1].tolist() == [[0, 0, 1, 1, 2, 2]] * 2 + [[3, 3, 4, 4, 5, 5]] * 2
    assert parts_of((1, 28, 21), None).unique().numel() == 7 * 6
    assert parts_of((4,), TABLE).tolist() == [0, 1, 1, 2]
    assert parts_of((3,), None).tolist() == [0, 1, 2]
    assert parts_of((3, 2), None).tolist() == [[0, 0], [1, 1], [2, 2]]
    masks = masks_of_parts(parts_of((2, 4, 5), None, cell=2))
    assert torch.equal(masks.sum(dim=0), torch.ones(2, 4, 5))
    with pytest.raises(DataError, match=r"rows have shape \(1, 2, 3, 4\)"):
        parts_of((1, 2, 3, 4), None)
    with pytest.raises(RecipeError, match="cell is 0"):
        parts_of((1, 4, 4), None, cell=0)


@pytest.mark.parametrize("shape", [(2, 6, 7), (9, 3)])
def test_elsewhere_has_the_same_size_does_not_overlap_and_does_not_repeat(shape):
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[..., :2, :2] = True
    if len(shape) == 2:
        mask[:2] = True
    found = elsewhere(mask, None, num_regions=5, seed=0)
    assert 1 < len(found) <= 5
    assert set(found.flatten(1).sum(dim=1).tolist()) == {int(mask.sum())}
    assert not (found & mask).any()
    assert len(found.unique(dim=0)) == len(found)
    assert torch.equal(found, elsewhere(mask, None, num_regions=5, seed=0))


@pytest.mark.parametrize("places", [(0, 2), (0, slice(1, 3)), (0, slice(None, None, 2), slice(None, None, 3))])
def test_a_region_that_some_shifts_leave_as_it_is_does_not_come_twice_elsewhere(places):
    mask = torch.zeros(1, 6, 6, dtype=torch.bool)
    mask[places] = True
    moved = torch.stack([mask.roll((down, across), (1, 2)) for down in range(6) for across in range(6)])
    others = {region.numpy().tobytes() for region in moved if not (region & mask).any()}
    found = [region.numpy().tobytes() for region in elsewhere(mask, None, num_regions=36, seed=0)]
    assert len(found) == len(others)
    assert set(found) == others


def test_elsewhere_in_a_table_is_as_many_other_features_with_all_their_columns():
    site = torch.tensor([False, True, True, False])
    found = elsewhere(site, TABLE, num_regions=9, seed=0)
    assert sorted(map(tuple, found.tolist())) == [(False, False, False, True), (True, False, False, False)]


@pytest.mark.parametrize("columns", [None, TABLE])
def test_a_region_of_everything_has_no_elsewhere(columns):
    mask = torch.ones(4 if columns else (1, 3, 3), dtype=torch.bool)
    with pytest.raises(DataError, match="nothing lies outside"):
        elsewhere(mask.reshape(4) if columns else mask.view(1, 3, 3), columns, num_regions=3, seed=0)


def test_a_region_is_given_as_feedback_is():
    mask = torch.zeros(2, 4, 5, dtype=torch.bool)
    mask[:, 1:3, 2:5] = True
    region = as_region(mask, None)
    assert region == Pixels(mask[0].numpy())
    assert box_of(region) == (1, 2, 2, 3)
    assert as_region(torch.tensor([True, True, True, False]), TABLE) == Features(("age", "site"))
    assert box_of(Features(("age",))) is None
    assert box_of(Pixels(np.zeros((3, 3), dtype=bool))) is None
