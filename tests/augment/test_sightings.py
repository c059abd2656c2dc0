"""Marked content that is found again on rows that nobody marked."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import max_pool2d

from corrigible.augment.patches import MARGIN, cut_out
from corrigible.augment.sightings import sightings_of
from corrigible.batches import collate
from corrigible.data.dataset import TensorData
from cue_data import CLASSES, CueData, cue_data


def sighted(case: CueData):
    batch = collate(case.data, torch.tensor(case.reviewed), case.marks)
    patches = cut_out(batch.x, batch.irrelevant)
    return sightings_of(case.data, batch, patches, torch.arange(len(patches)))


def top_left(place):
    """Of the marked box on each row."""
    plane = place.any(dim=1)
    return torch.stack([plane.any(dim=2).int().argmax(dim=1), plane.any(dim=1).int().argmax(dim=1)], dim=1)


def misplaced(case: CueData, share: float) -> tuple[CueData, set[int]]:
    """That share of the masks on a box of the same size elsewhere; and the rows that these are on."""
    place, generator = case.place.clone(), torch.Generator().manual_seed(3)
    drawn = torch.randperm(len(case.reviewed), generator=generator)[: round(share * len(case.reviewed))]
    rows = [case.reviewed[number] for number in drawn.tolist()]
    for row in rows:
        box = place[row, 0].clone()
        while bool((max_pool2d(place[row].float(), 3, 1, 1)[0] * box).any()):
            top, left = (int(torch.randint(end, (1,), generator=generator)) for end in (7, 8))
            box = torch.zeros_like(box)
            box[top : top + 3, left : left + 3] = True
        place[row, 0] = box
    return case.with_masks(place), set(rows)


@pytest.mark.parametrize("share", [None, 1 / 3])
@pytest.mark.parametrize("cued", [(0,), (1, 2), CLASSES], ids=str)
def test_a_sticker_is_found_where_it_is_and_nowhere_else(cued, share):
    """Whether all masks are right or a third of them lie beside it."""
    case = cue_data("moving_sticker", cued=cued, seed=1)
    marked, beside = (case, set()) if share is None else misplaced(case, share)
    found = sighted(marked)
    holds = torch.isin(case.data.y, torch.tensor(cued))
    unmarked = torch.tensor([row not in beside for row in range(len(holds))])
    assert torch.equal((found.part >= 0)[unmarked], holds[unmarked])
    rows = (holds & unmarked).nonzero().flatten()
    assert torch.equal(found.corner[rows] + MARGIN, top_left(case.place)[rows])
    used = found.patches.row[found.part[rows]]
    assert beside.isdisjoint(marked.reviewed[row] for row in used.tolist())


def test_a_patch_lies_on_rows_of_its_own_class():
    case = cue_data("moving_sticker", seed=1)
    found = sighted(case)
    assert torch.equal(case.data.y[: len(case.reviewed)][found.patches.row[found.part]], case.data.y)


def test_nothing_is_found_where_content_does_not_repeat():
    case = cue_data("moving_sticker", cued=(0,))
    noise = 0.3 * torch.rand(case.data.x.shape, generator=torch.Generator().manual_seed(5))
    x = torch.where(case.place, noise, case.data.x)
    found = sighted(replace(case, data=TensorData(x, case.data.y)))
    assert not bool((found.part >= 0).any())


def test_a_single_reviewed_row_has_nothing_to_agree_with():
    found = sighted(cue_data("moving_sticker", cued=(0,), num_reviewed=1))
    assert not bool((found.part >= 0).any())


def test_a_map_style_data_set_gives_the_same():
    case = cue_data("moving_sticker", cued=(0,), num_rows=60, num_reviewed=10)
    rows = [(x, int(y)) for x, y in zip(case.data.x, case.data.y, strict=True)]
    batch = collate(case.data, torch.tensor(case.reviewed), case.marks)
    patches = cut_out(batch.x, batch.irrelevant)
    for parts in (torch.arange(len(patches)), torch.arange(0)):
        first, second = (sightings_of(data, batch, patches, parts) for data in (case.data, rows))
        assert torch.equal(first.part, second.part)
        assert torch.equal(first.corner, second.corner)
