"""Drawings: the pixels and bars say what the attribution says, and names cannot break the page."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from corrigible.data.drawing import AGAINST, SIDE_PIXELS, TOWARDS, draw_image, draw_table
from corrigible.types import Columns


def pixels(html: str) -> np.ndarray:
    """The colours 0 to 255 of the picture, one per input pixel."""
    found = re.fullmatch(r'<img alt="[^"<>]*" src="data:image/png;base64,([A-Za-z0-9+/=]+)">', html)
    assert found is not None
    picture = imread(io.BytesIO(base64.b64decode(found[1])), format="png")
    return (255 * picture[..., :3]).round().astype(int)


def shrunk(picture: np.ndarray, height: int) -> np.ndarray:
    times = len(picture) // height
    small = picture[::times, ::times]
    assert np.array_equal(small.repeat(times, axis=0).repeat(times, axis=1), picture)
    return small


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3)])
def test_an_image_without_attribution_is_its_own_grey(shape):
    x = torch.tensor([0, 0.2, 0.4, 0.6, 0.8, 1.0]).reshape(shape)
    small = shrunk(pixels(draw_image(x)), 2)
    assert np.array_equal(small, np.repeat(np.array([0, 51, 102, 153, 204, 255]).reshape(2, 3, 1), 3, axis=2))


def test_three_channels_are_red_green_and_blue():
    x = torch.zeros(3, 2, 2)
    x[0, 0, 0] = x[2, 1, 1] = 1
    assert shrunk(pixels(draw_image(x)), 2).tolist() == [[[255, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 255]]]


def test_a_digit_is_large_enough_to_see_and_a_large_image_stays():
    assert pixels(draw_image(torch.zeros(1, 28, 28))).shape == (SIDE_PIXELS, SIDE_PIXELS, 3)
    assert pixels(draw_image(torch.zeros(1, 200, 300))).shape == (200, 300, 3)


def test_values_beyond_one_are_stretched_and_a_flat_image_is_drawn():
    assert shrunk(pixels(draw_image(torch.tensor([[-2.0, 2.0]]))), 1)[0, :, 0].tolist() == [0, 255]
    assert shrunk(pixels(draw_image(torch.tensor([[7.0, 7.0]]))), 1)[0, :, 0].tolist() == [0, 0]


def test_attribution_is_orange_above_and_blue_below_and_clear_at_zero():
    x = torch.full((1, 1, 4), 1.0)
    small = shrunk(pixels(draw_image(x, torch.tensor([[[2.0, -2.0, 0.0, 1.0]]]))), 1)[0]
    half = (np.array(TOWARDS) + 255) / 2
    assert small[:3].tolist() == [list(TOWARDS), list(AGAINST), [255, 255, 255]]
    assert abs(small[3] - half).max() <= 1


def test_a_scale_makes_drawings_comparable():
    x, attribution = torch.zeros(1, 1, 2), torch.tensor([[[1.0, -9.0]]])
    assert draw_image(x, attribution, scale=2.0) == draw_image(x, attribution.clamp(-2, 2), scale=2.0)
    assert shrunk(pixels(draw_image(x, attribution, scale=2.0)), 1)[0, 1].tolist() == list(AGAINST)


def test_channels_are_summed_and_no_attribution_at_all_is_the_image():
    x = torch.rand(3, 2, 2)
    assert np.array_equal(pixels(draw_image(x, torch.zeros(3, 2, 2))), pixels(draw_image(x)))
    opposite = torch.stack([torch.ones(2, 2), -torch.ones(2, 2), torch.zeros(2, 2)])
    assert np.array_equal(pixels(draw_image(x, opposite)), pixels(draw_image(x)))


@pytest.mark.parametrize("draw", [draw_image, draw_table])
def test_a_scale_of_zero_and_nan_are_refused(draw):
    x = torch.zeros(1, 2, 2) if draw is draw_image else torch.zeros(2)
    with pytest.raises(ValueError, match="scale is 0"):
        draw(x, x, scale=0.0)
    with pytest.raises(ValueError, match="NaN"):
        draw(x, torch.full_like(x, float("nan")))


COLUMNS = Columns(
    ("age", "site=a", "site=b", "<b>&\"'"), ("age", "site", "site", "<b>&\"'"), (False, True, True, False)
)
ROW = torch.tensor([1.5, 0.0, 1.0, -0.25])


class Cells(HTMLParser):
    """The text of each row's cells and the style of its bar."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.styles: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        self.styles += [value or "" for name, value in attrs if name == "style"]

    def handle_data(self, data: str) -> None:
        self.rows[-1].append(data)


def parsed(html: str) -> Cells:
    cells = Cells()
    cells.feed(html)
    assert cells.tags <= {"table", "tr", "td", "div"}
    return cells


def test_bars_are_as_long_as_the_summed_sizes_and_coloured_by_what_is_there():
    cells = parsed(draw_table(ROW, torch.tensor([1.0, 3.0, -3.0, 0.0]), COLUMNS))
    assert cells.rows == [["site=b", "6"], ["age: +1.50", "1"], ["<b>&\"': -0.25", "0"]]
    assert [f"rgb{AGAINST}" in cells.styles[0], f"rgb{TOWARDS}" in cells.styles[1]] == [True, True]
    assert [re.search(r"width:(\d+)px", style)[1] for style in cells.styles] == ["120", "20", "0"]


def test_a_table_without_attribution_lists_features_as_they_come():
    assert parsed(draw_table(ROW, columns=COLUMNS)).rows == [["age: +1.50"], ["site=b"], ["<b>&\"': -0.25"]]


def test_an_unseen_category_a_scale_and_the_number_of_features():
    row = torch.tensor([1.5, 0.0, 0.0, -0.25])
    html = draw_table(row, torch.tensor([1.0, 3.0, -3.0, 0.0]), COLUMNS, scale=12.0, num_features=1)
    cells = parsed(html)
    assert cells.rows == [["site: none of the known", "6"]] and "width:60px" in cells.styles[0]
    assert not any(f"rgb{colour}" in html for colour in (TOWARDS, AGAINST))


def test_columns_without_names_are_numbered():
    assert parsed(draw_table(torch.tensor([1.0, 2.0]))).rows == [["x0: +1.00"], ["x1: +2.00"]]
