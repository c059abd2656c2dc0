"""Marked patches on other images: where they go, and in which form."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible import Feedback
from corrigible.augment import pixels, transplant
from corrigible.augment.transplant import cues_of
from corrigible.batches import collate
from corrigible.data.dataset import TensorData
from corrigible.feedback.masks import marks_of

SIZE, NUM_REVIEWED, NUM_ROWS = 16, 8, 200
SHAPE = torch.tensor([[1, 0], [1, 0], [1, 1]], dtype=torch.bool)
"""An L."""


def dark_images(shape, *, corners):
    """Dark images of which the first hold the bright shape, which is marked there."""
    x, said = torch.zeros(NUM_ROWS, 1, SIZE, SIZE), []
    for row, (top, left) in enumerate(corners):
        mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        mask[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
        x[row, 0][mask] = 5.0
        said.append(Feedback(mask.numpy(), row=row))
    data = TensorData(x, torch.arange(NUM_ROWS) % 2)
    return data, marks_of(said, data)


def shown(data, marks):
    """Where unreviewed rows are bright after a transplant; rows that lend other content are dark."""
    cues = cues_of(data, marks, 0)
    dark = {name: torch.zeros_like(getattr(cues.content, name)) for name in ("donors", "wide_donors")}
    cues = replace(cues, content=replace(cues.content, **dark))
    batch = collate(data, torch.arange(NUM_REVIEWED, NUM_ROWS), marks)
    return transplant(nn.Identity(), batch, torch.Generator().manual_seed(0), cues=cues).x[:, 0] > 4


def box_of(bright):
    down, right = bright.any(dim=1).nonzero().flatten(), bright.any(dim=0).nonzero().flatten()
    top, left = int(down[0]), int(right[0])
    return (top, left), bright[top : int(down[-1]) + 1, left : int(right[-1]) + 1]


def scattered():
    """Places that do not overlap, the borders among them."""
    return [(0, 0), (SIZE - 3, SIZE - 2), (5, SIZE - 2), (SIZE - 3, 4), (4, 0), (8, 8), (0, 9), (9, 3)]


def test_a_small_patch_goes_anywhere_whole_and_as_it_was_or_mirrored_in_its_box(monkeypatch):
    monkeypatch.setattr(pixels, "NUM_MOVED", 1)
    data, marks = dark_images(SHAPE, corners=scattered())
    found = [box_of(bright) for bright in shown(data, marks) if bright.any()]
    assert len(found) > 50
    forms = [bright.tolist() for _, bright in found]
    assert all(form in (SHAPE.tolist(), SHAPE.flip(1).tolist()) for form in forms)
    assert 0.3 < sum(form != SHAPE.tolist() for form in forms) / len(forms) < 0.7
    in_place = sum(corner in scattered() for corner, _ in found) / len(found)
    assert 0.3 < in_place < 0.8
    assert {0, SIZE - 2} <= {left for (_, left), _ in found}


def test_a_part_of_a_tenth_of_the_image_stays_where_it_was_and_is_not_mirrored(monkeypatch):
    monkeypatch.setattr(pixels, "NUM_MOVED", 1)
    big = torch.ones(8, 5, dtype=torch.bool)
    big[:4, 3:] = False
    assert big.sum() > pixels.LEAST_BIG * SIZE**2
    corners = [(0, 0), (0, 6), (0, 11), (8, 0), (8, 6), (8, 11), (4, 2), (5, 9)]
    data, marks = dark_images(big, corners=corners)
    found = [box_of(bright) for bright in shown(data, marks) if bright.any()]
    assert len(found) > 30
    assert all(corner in corners and bright.tolist() == big.tolist() for corner, bright in found)


def test_a_place_that_most_rows_mark_is_the_cues_own():
    """There half of the rows get marked content, and nothing appears elsewhere."""
    data, marks = dark_images(SHAPE, corners=[(5, 4)] * NUM_REVIEWED)
    bright = shown(data, marks)
    assert 0.35 < float(bright.flatten(1).any(dim=1).float().mean()) < 0.65
    assert all(box_of(one)[0] == (5, 4) for one in bright if one.any())


def test_a_single_reviewed_row_tells_its_place():
    data, marks = dark_images(SHAPE, corners=[(5, 4)])
    bright = shown(data, marks)
    assert bool(bright.any())
    assert all(box_of(one)[0] == (5, 4) for one in bright if one.any())


def test_two_parts_of_one_cue_come_from_one_row_half_of_the_time():
    """Grey levels of two corners are alike on every row; so they are on half of the rows that both were put into."""
    x, y = torch.zeros(NUM_ROWS, 1, SIZE, SIZE), torch.arange(NUM_ROWS) % 2
    level = 1 + torch.rand(NUM_ROWS, generator=torch.Generator().manual_seed(0))
    corners = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    corners[:2, :2] = corners[-2:, -2:] = True
    x[:, 0, corners] = level[:, None]
    data = TensorData(x, y)
    marks = marks_of([Feedback(corners.numpy(), row=row) for row in range(40)], data)
    cues = cues_of(data, marks, 0)
    assert len(cues.content.fixed) == 2
    rows = collate(data, torch.arange(40, NUM_ROWS), marks)
    found = transplant(nn.Identity(), rows, torch.Generator().manual_seed(0), cues=cues).x[:, 0]
    alike = (found[:, 0, 0] - found[:, -1, -1]).abs() < 1e-6
    assert 0.2 < float(alike.float().mean()) < 0.6


def test_a_reviewed_row_loses_what_is_marked_on_it_also_where_it_is_not_seen_on_others():
    data, marks = dark_images(SHAPE, corners=scattered())
    noise = torch.rand(data.x.shape, generator=torch.Generator().manual_seed(0))
    data = TensorData(noise, data.y)
    cues, batch = cues_of(data, marks, 0), collate(data, torch.arange(NUM_REVIEWED), marks)
    nowhere = replace(cues.content.sightings, part=torch.full_like(cues.content.sightings.part, -1))
    cues = replace(cues, content=replace(cues.content, moving_chance=0.0, sightings=nowhere))
    for seed in range(5):
        found = transplant(nn.Identity(), batch, torch.Generator().manual_seed(seed), cues=cues).x
        is_changed = found != batch.x
        assert not bool(is_changed[~batch.irrelevant].any())
        assert float(is_changed[batch.irrelevant].float().mean()) > 0.8  # A row may lend to itself.


@pytest.mark.parametrize("channels", [1, 3])
def test_with_no_mask_of_this_batch_and_no_chance_nothing_changes(channels):
    data, marks = dark_images(SHAPE, corners=scattered())
    data = TensorData(data.x.expand(-1, channels, -1, -1), data.y)
    marks = marks_of([Feedback(marks.irrelevant.by_row[row].numpy()[0], row=row) for row in range(8)], data)
    cues = cues_of(data, marks, 0)
    cues = replace(cues, content=replace(cues.content, moving_chance=0.0))
    rows = collate(data, torch.arange(NUM_REVIEWED, NUM_ROWS), marks)
    assert torch.equal(transplant(nn.Identity(), rows, torch.Generator().manual_seed(0), cues=cues).x, rows.x)
