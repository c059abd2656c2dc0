"""Distances to a patch equal their definition."""

import pytest
import torch

from corrigible.data.matching import patch_distances


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 2), (3, 2, 5)])
def test_equals_the_definition_place_by_place(shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, shape[0], 5, 6, generator=generator, dtype=torch.float64)
    patch = torch.randn(shape, generator=generator, dtype=torch.float64)
    mask = torch.rand(shape, generator=generator) < 0.6
    mask[0, 0, 0] = True
    found = patch_distances(x, patch, mask)
    assert found.shape == (2, 6 - shape[1], 7 - shape[2])
    for image in range(2):
        for top in range(found.shape[1]):
            for left in range(found.shape[2]):
                total = 0.0
                for channel, line, column in mask.nonzero().tolist():
                    shown = x[image, channel, top + line, left + column]
                    total += float(shown - patch[channel, line, column]) ** 2
                assert float(found[image, top, left]) == pytest.approx(total / int(mask.sum()), abs=1e-12)


def test_where_the_patch_is_the_distance_is_nothing_and_never_below():
    x = 100 + torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    found = patch_distances(x, x[0, :, 3:6, 2:5], torch.ones(1, 3, 3, dtype=torch.bool))
    assert found.flatten().argmin() == 3 * 7 + 2
    assert bool((found >= 0).all())
    assert float(found[0, 3, 2]) < 0.01


def test_an_empty_mask_is_near_everything():
    assert not bool(patch_distances(torch.rand(1, 1, 4, 4), torch.rand(1, 2, 2), torch.zeros(1, 2, 2).bool()).any())
