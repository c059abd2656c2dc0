"""Images cut into squares or superpixels, and explained by these."""

import pytest
import torch
from torch.nn.functional import interpolate

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.explanations.segments import grid_segments, slic_segments

BLACK = torch.zeros(1, 1, 8, 8)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_squares_are_counted_line_by_line_and_cut_off_at_the_edge():
    found = grid_segments(torch.zeros(2, 2, 3, 5), 2)
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    assert found.tolist() == [expected, expected]


def smooth(*shape: int) -> torch.Tensor:
    """A few soft spots; superpixels of noise would be too small to be kept."""
    return interpolate(noise(*shape[:2], 3, 3), size=shape[2:], mode="bilinear", align_corners=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_superpixels_follow_colours(channels):
    x = torch.zeros(1, channels, 12, 12)
    x[..., 4:] = 1.0
    (labels,) = slic_segments(x, 4, compactness=1.0)
    dark, bright = labels[..., :4].unique().tolist(), labels[..., 4:].unique().tolist()
    assert set(dark).isdisjoint(bright) and len(dark + bright) > 2


def test_compact_superpixels_look_at_places_alone():
    found = slic_segments(smooth(3, 3, 12, 12), 9, compactness=1e9)
    assert torch.equal(found, slic_segments(torch.zeros(3, 3, 12, 12), 9))
    assert found[0].unique().tolist() == list(range(9))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_segments_are_connected_numbers_from_zero_alike_in_all_channels(channels):
    x = smooth(5, channels, 12, 9)
    found = slic_segments(x, 10)
    assert found.shape == x.shape and found.dtype == torch.int64
    assert torch.equal(found, found[:, :1].expand_as(x))
    for labels in found:
        assert labels.unique().tolist() == list(range(int(labels.max()) + 1))
        assert 2 <= len(labels.unique()) <= 20


def test_segments_depend_on_the_image_alone():
    x = smooth(4, 3, 12, 12)
    found = slic_segments(x, 9)
    assert torch.equal(slic_segments(x.flip(0), 9).flip(0), found)
    assert torch.equal(slic_segments(4 * x - 2, 9), found)
    assert len({tuple(labels.flatten().tolist()) for labels in found}) == 4


def test_an_additive_model_is_explained_segment_by_segment():
    """Each image's segments have their own sums, shared evenly among their pixels."""
    x, weight = smooth(3, 1, 6, 6), noise(36, 2)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 2))
    with torch.no_grad():
        model[1].weight.copy_(weight.T)
    segments = slic_segments(x, 5, compactness=1.0)
    found = explain(model, x, 1, method="kernel_shap", groups=segments, score="target_logit", baseline=0.0, samples=64)
    for row, labels, attribution in zip(x.flatten(1), segments.flatten(1), found.flatten(1), strict=True):
        for segment in labels.unique():
            inside = labels == segment
            expected = (row * weight[:, 1])[inside].mean().expand(int(inside.sum()))
            torch.testing.assert_close(attribution[inside], expected, atol=1e-5, rtol=1e-4)


def test_segments_stay_where_the_images_are():
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    assert slic_segments(x, 2).device == grid_segments(x, 2).device == x.device


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: grid_segments(BLACK, 0), RecipeError),
        (lambda: slic_segments(BLACK, 0), RecipeError),
        (lambda: slic_segments(BLACK, 4, compactness=0.0), RecipeError),
        (lambda: slic_segments(BLACK, 4, compactness=float("nan")), RecipeError),
    ],
)
def test_settings_out_of_range_are_refused(call, error):
    with pytest.raises(error, match="expected"):
        call()
