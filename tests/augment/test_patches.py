"""Parts of masks, cut out and pasted again."""

import pytest
import torch

from corrigible.augment.patches import JOINED_SHARE, MARGIN, cut_out, paste, places, window

GENERATOR = torch.Generator().manual_seed(0)
X = torch.rand(3, 2, 14, 12, generator=GENERATOR)


def marked(*boxes):
    """A mask of every image, from (image, top, left, height, width)."""
    mask = torch.zeros(X.shape, dtype=torch.bool)
    for image, top, left, height, width in boxes:
        mask[image, :, top : top + height, left : left + width] = True
    return mask


BOXES = [(0, 5, 4, 3, 2), (0, 0, 0, 2, 2), (1, 12, 9, 2, 3), (2, 0, 10, 14, 2)]


def pasted(x, patches, share):
    found = x.clone()
    for part in range(len(patches)):  # One by one: an image gets one patch at a pixel.
        chosen = patches.of(torch.tensor([part]))
        paste(found, chosen.row, chosen.corner, chosen.values, share[part : part + 1])
    return found


def test_what_is_cut_out_and_pasted_where_it_was_gives_the_marked_pixels_and_no_other():
    mask = marked(*BOXES)
    patches = cut_out(X, mask)
    assert len(patches) == len(BOXES)
    assert patches.row.tolist() == [0, 0, 1, 2]
    nothing = torch.zeros_like(X)
    found = pasted(nothing, patches, patches.mask.float())
    assert torch.equal(found, torch.where(mask, X, nothing))
    assert not bool(nothing.any())


def test_a_soft_edge_reaches_one_pixel_beyond_the_mask_at_most():
    mask = marked((0, 5, 4, 3, 2), (1, 12, 9, 2, 3))
    patches = cut_out(X, mask)
    assert bool((patches.soft[patches.mask] == 1).all())
    found = pasted(torch.zeros_like(X), patches, patches.soft)
    assert torch.equal(found[mask], X[mask])
    changed = (found != 0).any(dim=1)
    expected = torch.zeros_like(changed)
    expected[0, 4:9, 3:7] = True
    expected[1, 11:, 8:] = True
    assert torch.equal(changed, expected)


def test_patches_at_the_border_lie_beyond_it_by_the_margin_and_hold_zeros_there():
    patches = cut_out(X + 1, marked((0, 0, 0, 2, 2), (1, 12, 9, 2, 3)))
    assert patches.corner.tolist() == [[-MARGIN, -MARGIN], [12 - MARGIN, 9 - MARGIN]]
    assert bool((patches.values[0, :, :MARGIN] == 0).all())
    assert bool((patches.values[1, :, 2 + MARGIN :] == 0).all())
    assert torch.equal(patches.values[0, :, MARGIN:, MARGIN:], X[0, :, :3, :4] + 1)


def test_a_mask_of_one_channel_leaves_the_others():
    mask = marked((1, 3, 3, 2, 2))
    mask[:, 1] = False
    patches = cut_out(X, mask)
    assert torch.equal(pasted(torch.zeros_like(X), patches, patches.mask.float()), torch.where(mask, X, 0.0))


@pytest.mark.parametrize("size", [14, 42])
def test_parts_that_are_near_are_one(size):
    """The letters of a stamp are one part, two stamps are two."""
    near = max(1, round(size * JOINED_SHARE) // 2)
    for gap, parts in ((near, 1), (4 * near + 2, 2)):
        mask = torch.zeros(1, 1, size, size, dtype=torch.bool)
        mask[..., 1:3, 1] = mask[..., 1:3, 1 + gap + 1] = True
        patches = cut_out(torch.ones(1, 1, size, size), mask)
        assert len(patches) == parts
        assert int(patches.mask.sum()) == 4


def test_nothing_marked_gives_no_part():
    assert len(cut_out(X, torch.zeros_like(X, dtype=torch.bool))) == 0


def test_parts_that_overlap_by_half_lie_at_one_place():
    boxes = [(0, 2, 2, 4, 4), (0, 10, 2, 2, 2), (1, 2, 3, 4, 4), (1, 10, 8, 2, 2), (2, 2, 5, 4, 4), (2, 11, 8, 2, 2)]
    patches = cut_out(X, marked(*boxes))
    found = places(patches)
    # Of 4 × 4 boxes one column apart 12 of 20 pixels are shared, three apart 4 of 28; of 2 × 2 boxes one line apart
    # 2 of 6.
    assert found.tolist() == [0, 1, 0, 2, 3, 4]


def test_a_window_outside_of_the_image_is_zero():
    image = torch.ones(1, 4, 4)
    assert window(image, (-1, 2), (3, 3))[0].tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert window(image, (3, -2), (3, 3))[0].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_patches_whose_padded_boxes_overlap_do_not_erase_each_other():
    stripe, bar, stamp = (torch.zeros(1, 1, 28, 28, dtype=torch.bool) for _ in range(3))
    stripe[..., :22, 20:23], bar[..., 25:, :], stamp[..., 10:14, 8:12] = True, True, True
    marked = stripe | bar | stamp
    patches = cut_out(torch.ones(1, 1, 28, 28), marked)
    found, image = torch.zeros(1, 1, 28, 28), torch.zeros(len(patches), dtype=torch.long)
    paste(found, image, patches.corner, patches.values, patches.mask.float())
    assert torch.equal(found == 1, marked)
