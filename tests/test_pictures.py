import io
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from corrigible.pictures import (
    attribution_picture,
    brightness_of,
    diverging,
    input_picture,
    png,
    share_in,
    shared_limit,
)


def test_png_holds_the_pixels():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(image)))), image)


@given(st.lists(st.booleans(), min_size=20, max_size=20))
def test_the_outline_is_every_edge_between_marked_and_unmarked(cells):
    mask = torch.tensor(cells).reshape(4, 5)
    html = attribution_picture(torch.zeros(4, 5), mask, limit=1.0, alt="")
    found = re.search(r'class="outline" d="([^"]*)"', html)
    edges = set()
    for x, y, direction, length in re.findall(r"M(\d+) (\d+)([hv])(\d+)", found[1] if found else ""):
        for k in range(int(length)):
            edges.add((int(x) + k, int(y), "h") if direction == "h" else (int(x), int(y) + k, "v"))
    inside = {(x, y) for y in range(4) for x in range(5) if mask[y, x]}
    level = {(x, y, "h") for x in range(5) for y in range(5) if ((x, y) in inside) != ((x, y - 1) in inside)}
    upright = {(x, y, "v") for x in range(6) for y in range(4) if ((x, y) in inside) != ((x - 1, y) in inside)}
    assert edges == level | upright


def test_the_limit_leaves_a_few_extreme_pixels_out():
    values = torch.linspace(-1, 1, 1000)
    values[0] = 100.0
    limit = shared_limit([values.reshape(25, 40)])
    assert 0.98 < limit < 1.0
    assert np.array_equal(diverging(np.array([100.0]), limit=limit), diverging(np.array([limit]), limit=limit))


def test_the_limit_of_one_used_pixel_is_its_size():
    one = torch.zeros(28, 28)
    one[3, 4] = -0.5
    assert shared_limit([one, torch.zeros(28, 28)]) == 0.5


def test_nan_is_grey_and_not_zero():
    colours = diverging(np.array([np.nan, 0.0]), limit=1.0)
    assert colours.tolist() == [[150, 150, 150], [255, 255, 255]]


def test_channels_are_summed_before_colouring():
    rgb = torch.tensor([[[0.5]], [[0.25]], [[-0.75]]])
    assert attribution_picture(rgb, None, limit=1.0, alt="") == attribution_picture(
        torch.zeros(1, 1), None, limit=1.0, alt=""
    )


def test_share_in_the_region():
    marked = torch.tensor([True, False])
    assert share_in(torch.tensor([-1.0, 3.0]), marked) == 0.25
    assert share_in(torch.zeros(2), marked) is None
    assert share_in(torch.ones(2), None) is None


def test_brightness_is_shared_and_leaves_plain_images_alone():
    assert brightness_of([torch.tensor([0.2, 0.4])]) == (0.0, 1.0)
    assert brightness_of([torch.tensor([-2.0, 0.0]), torch.tensor([0.0, 3.0])]) == (-2.0, 3.0)


def test_a_table_row_is_no_picture():
    with pytest.raises(ValueError, match=r"shape \(4,\); expected \(channel, height, width\)"):
        input_picture(torch.zeros(4), None, brightness=(0.0, 1.0), alt="")
