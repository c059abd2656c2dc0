import numpy as np
import pytest
import torch
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch

from corrigible.errors import DataError
from corrigible.plots import heat_map


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def maps(figure) -> list[AxesImage]:
    """The heat maps, without inputs and colour bars."""
    images = [image for axes in figure.axes for image in axes.get_images()]
    return [image for image in images if image.get_array().ndim == 2]


def test_all_maps_of_a_figure_share_a_scale_that_zero_halves() -> None:
    attribution = noise(4, 1, 9, 9)
    found = maps(heat_map(torch.rand(4, 1, 9, 9), attribution))
    assert len(found) == 4
    limit = float(np.quantile(attribution.abs(), 0.995))
    for image, expected in zip(found, attribution, strict=True):
        assert np.allclose(image.get_array(), expected[0])
        assert image.get_clim() == pytest.approx((-limit, limit))


def test_each_explainer_has_its_own_scale_over_its_rows_and_the_figure_says_so() -> None:
    one = noise(3, 1, 8, 8)
    figure = heat_map(torch.rand(3, 1, 8, 8), {"one": one, "hundred": 100 * one})
    ends = [image.get_clim()[1] for image in maps(figure)]
    assert len(set(ends[::2])) == len(set(ends[1::2])) == 1
    assert ends[1] == pytest.approx(100 * ends[0])
    assert "each method has its own scale for all rows" in figure.get_supxlabel().replace("\n", " ")
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["input", "one", "hundred"]


def test_channels_are_summed_and_a_limit_is_kept() -> None:
    attribution = noise(1, 3, 5, 5)
    (image,) = maps(heat_map(torch.rand(1, 3, 5, 5), attribution, limit=0.25))
    assert np.allclose(image.get_array(), attribution[0].sum(dim=0))
    assert image.get_clim() == (-0.25, 0.25)


def test_unknown_values_are_masked_and_zeros_are_white() -> None:
    attribution = torch.zeros(1, 4, 4)
    attribution[0, 0, 0] = torch.nan
    (image,) = maps(heat_map(torch.rand(1, 4, 4), attribution))
    colours = image.to_rgba(np.ma.masked_invalid(image.get_array()))
    assert (colours[1:, 1:] == 1).all()
    assert np.allclose(colours[0, 0, :3], 150 / 255)


def test_marked_regions_are_outlined_on_inputs_and_maps() -> None:
    region = torch.zeros(1, 1, 6, 6, dtype=torch.bool)
    region[..., 1:3, 2:5] = True
    figure = heat_map(torch.rand(1, 1, 6, 6), noise(1, 1, 6, 6), irrelevant=region)
    outlines = [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, PathPatch)]
    assert len(outlines) == 4  # A halo and a line, on the input and on the map.
    box = outlines[1].get_path().get_extents()
    assert (box.x0, box.x1, box.y0, box.y1) == (1.5, 4.5, 0.5, 2.5)
    assert figure.get_supxlabel() == "outlined: marked irrelevant"


def test_over_the_input_weak_attribution_shows_the_image() -> None:
    attribution = torch.tensor([[[0.0, 1.0], [-0.25, 1.0]]])
    (image,) = maps(heat_map(torch.rand(1, 2, 2), attribution, limit=1.0, over_input=True))
    assert np.allclose(image.get_alpha(), [[0, 1], [0.5, 1]])


def test_bad_input_is_answered_in_one_line() -> None:
    x = torch.rand(2, 1, 4, 4)
    for arguments, said in (
        ((x[0, 0], x[0, 0]), r"x has shape \(4, 4\); expected \(row, channel, height, width\)"),
        ((x, x[:1]), r"the attribution has shape \(1, 1, 4, 4\); expected that of x, \(2, 1, 4, 4\)"),
        ((x, {"lime": x[:1]}), r"the attribution lime has shape"),
        ((x, {}), "no attributions by name"),
    ):
        with pytest.raises(DataError, match=said):
            heat_map(*arguments)
    with pytest.raises(DataError, match="1 title for 2 images"):
        heat_map(x, x, titles=["a"])
    with pytest.raises(DataError, match="the limit is 0.0; expected a number above 0"):
        heat_map(x, x, limit=0.0)
