"""Marks at a layer's resolution, against enlarged maps and pixel by pixel."""

import pytest
import torch
from torch.nn.functional import interpolate

from corrigible.explanations.marks.upsampling import cells_touched, map_share_on, weights_on


@pytest.mark.parametrize("size", [(2, 3), (7, 5), (1, 1), (9, 4)])
def test_weights_sum_a_map_as_its_enlargement_over_the_marked_pixels(size):
    generator = torch.Generator().manual_seed(0)
    marked = torch.rand(3, 2, 7, 5, generator=generator) < 0.4
    maps = torch.rand(3, 1, *size, generator=generator, dtype=torch.float64)
    large = interpolate(maps, size=(7, 5), mode="bilinear", align_corners=False)
    on_marked, on_all = weights_on(marked, maps)
    torch.testing.assert_close((maps * on_marked).sum((1, 2, 3)), (large * marked).sum((1, 2, 3)) / 2)
    torch.testing.assert_close((maps * on_all).sum((1, 2, 3)), large.sum((1, 2, 3)))
    share = (large * marked).sum((1, 2, 3)) / 2 / large.sum((1, 2, 3))
    torch.testing.assert_close(map_share_on(maps, marked), share)


@pytest.mark.parametrize("size", [(2, 3), (7, 5), (1, 1), (9, 4)])
def test_every_marked_pixel_touches_the_cells_it_lies_in_and_no_far_ones(size):
    for pixel in range(35):
        down, across = divmod(pixel, 5)
        marked = torch.zeros(1, 2, 7, 5, dtype=torch.bool)
        marked[0, 1, down, across] = True
        expected = torch.zeros(1, 1, *size, dtype=torch.bool)
        for row in range(size[0]):
            for column in range(size[1]):
                # Cell i of n covers the pixels that overlap with [i, i + 1) × pixels / n.
                meets_row = row * 7 < (down + 1) * size[0] and (row + 1) * 7 > down * size[0]
                meets_column = column * 5 < (across + 1) * size[1] and (column + 1) * 5 > across * size[1]
                expected[0, 0, row, column] = meets_row and meets_column
        assert torch.equal(cells_touched(marked, size), expected)
