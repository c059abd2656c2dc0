"""Distances to a patch equal their definition."""

from itertools import product

import pytest
import torch

from corrigible.data.matching import patch_distances


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 2), (3, 2, 5)])
def test_equals_the_definition_place_by_place(shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, shape[0], 5, 6, generator=generator, dtype=torch.float64)
    patches = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    masks = torch.rand(2, *shape, generator=generator) < 0.6
    masks[:, 0, 0, 0] = True
    found = patch_distances(x, patches, masks)
    assert found.shape == (2, 2, 6 - shape[1], 7 - shape[2])
    for image, number, top, left in product(*map(range, found.shape)):
        total = 0.0
        for channel, line, column in masks[number].nonzero().tolist():
            shown = x[image, channel, top + line, left + column]
            total += float(shown - patches[number, channel, line, column]) ** 2
        expected = total / int(masks[number].sum())
        assert float(found[image, number, top, left]) == pytest.approx(expected, abs=1e-12)


def test_where_the_patch_is_the_distance_is_nothing_and_never_below():
    x = 100 + torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    found = patch_distances(x, x[:, :, 3:6, 2:5], torch.ones(1, 1, 3, 3, dtype=torch.bool))
    assert found.flatten().argmin() == 3 * 7 + 2
    assert bool((found >= 0).all())
    assert float(found[0, 0, 3, 2]) < 0.01


def test_an_empty_mask_is_near_everything():
    x, patches = torch.rand(1, 1, 4, 4), torch.rand(1, 1, 2, 2)
    assert not bool(patch_distances(x, patches, torch.zeros(1, 1, 2, 2).bool()).any())
