"""One image file: values, channels, sizes, and one line for every file that cannot be read."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from corrigible.data import image_file as module
from corrigible.data.image_file import ImageForm, read_coverage, read_image, read_mask, stored_size
from corrigible.errors import DataError, RecipeError

GREY = np.array([[0, 51, 102], [153, 204, 255]], dtype=np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
OPACITY = np.array([[255, 255, 0], [51, 255, 255]], dtype=np.uint8)


def saved(folder: Path, values: np.ndarray, name: str = "image.png") -> Path:
    Image.fromarray(values).save(folder / name)
    return folder / name


def read(path: Path, **form: object) -> torch.Tensor:
    return read_image(path, ImageForm(**form))


def as_rows(values: np.ndarray) -> torch.Tensor:
    """Channels first, from 0 to 1."""
    return torch.from_numpy(np.atleast_3d(values).transpose(2, 0, 1).copy()).float() / 255


@pytest.mark.parametrize("values", [GREY, COLOUR, np.dstack([COLOUR, OPACITY]), np.dstack([GREY, OPACITY])])
def test_an_image_without_a_form_is_as_it_is_stored(tmp_path, values):
    found = read(saved(tmp_path, values))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, as_rows(values))


def test_sixteen_bits_lie_between_zero_and_one(tmp_path):
    found = read(saved(tmp_path, np.array([[0, 13107, 65535]], dtype=np.uint16)))
    torch.testing.assert_close(found, torch.tensor([[[0, 0.2, 1]]]))


def test_one_bit_is_black_or_white(tmp_path):
    found = read(saved(tmp_path, GREY > 100))
    assert found.tolist() == [[[0, 0, 1], [1, 1, 1]]]


def test_a_palette_is_resolved(tmp_path):
    drawn = Image.fromarray(COLOUR).quantize(6)
    drawn.save(tmp_path / "palette.png")
    torch.testing.assert_close(read(tmp_path / "palette.png"), as_rows(np.array(drawn.convert("RGB"))))


def test_grey_is_repeated_for_three_channels(tmp_path):
    torch.testing.assert_close(read(saved(tmp_path, GREY), channels=3), as_rows(GREY).expand(3, 2, 3))


def test_colours_become_as_bright_as_they_look(tmp_path):
    red, green, blue = as_rows(COLOUR)
    expected = (0.299 * red + 0.587 * green + 0.114 * blue)[None]
    torch.testing.assert_close(read(saved(tmp_path, COLOUR), channels=1), expected)


def test_what_is_transparent_becomes_black(tmp_path):
    found = read(saved(tmp_path, np.dstack([COLOUR, OPACITY])), channels=3)
    torch.testing.assert_close(found, as_rows(COLOUR) * as_rows(OPACITY))


def test_an_opaque_image_gets_a_fourth_channel_of_ones(tmp_path):
    found = read(saved(tmp_path, GREY), channels=4)
    torch.testing.assert_close(found, torch.cat([as_rows(GREY).expand(3, 2, 3), torch.ones(1, 2, 3)]))


def test_halving_takes_the_weighted_mean_of_a_triangle(tmp_path):
    """Four neighbours weigh 1, 3, 3, 1; at the border those that exist."""
    line = np.array([[0, 80, 160, 240, 40, 200, 120, 0]], dtype=np.uint8)
    v = line[0] / 255
    expected = [
        (3 * v[0] + 3 * v[1] + v[2]) / 7,
        (v[1] + 3 * v[2] + 3 * v[3] + v[4]) / 8,
        (v[3] + 3 * v[4] + 3 * v[5] + v[6]) / 8,
        (v[5] + 3 * v[6] + 3 * v[7]) / 7,
    ]
    found = read(saved(tmp_path, line), size=[1, 4])
    torch.testing.assert_close(found, torch.tensor([[expected]], dtype=torch.float32))


def test_one_number_is_the_side_of_a_square(tmp_path):
    assert read(saved(tmp_path, COLOUR), size=5).shape == (3, 5, 5)


def test_mean_and_deviation_belong_to_channels(tmp_path):
    found = read(saved(tmp_path, COLOUR), channels=3, mean=[0.1, 0.2, 0.3], std=[1.0, 2.0, 4.0])
    expected = (as_rows(COLOUR) - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([1, 2, 4])[:, None, None]
    torch.testing.assert_close(found, expected)


def test_a_photograph_lying_on_its_side_is_put_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned clockwise.
    Image.fromarray(COLOUR).save(tmp_path / "turned.png", exif=exif)
    torch.testing.assert_close(read(tmp_path / "turned.png"), as_rows(np.rot90(COLOUR, -1)))
    assert stored_size(tmp_path / "turned.png") == (3, 2)


def test_a_mask_marks_every_pixel_above_black(tmp_path):
    marks = np.array([[[0, 0, 0], [1, 0, 0]], [[0, 0, 255], [0, 0, 0]]], dtype=np.uint8)
    assert read_mask(saved(tmp_path, marks), ImageForm()).tolist() == [[False, True], [True, False]]


def test_a_mask_is_enlarged_by_whole_pixels(tmp_path):
    marks = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    found = read_mask(saved(tmp_path, marks), ImageForm(size=[4, 2]))
    assert found.tolist() == [[False, True], [False, True], [True, False], [True, False]]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": [8, 8, 8]}, "size is"),
        ({"size": True}, "size is True"),
        ({"channels": 2}, "channels is 2"),
        ({"mean": [0.5]}, "mean is .* the setting channels"),
        ({"channels": 3, "std": [0.5]}, "one number per channel"),
        ({"channels": 1, "std": [0.0]}, "above 0"),
        ({"channels": 1, "std": [float("nan")]}, "above 0"),
    ],
)
def test_forms_out_of_range_are_refused(form, words):
    with pytest.raises(RecipeError, match=words):
        ImageForm(**form)


def files_that_cannot_be_read(folder: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    whole = saved(folder, rng.integers(0, 256, (24, 24, 3), dtype=np.uint8), "whole.png").read_bytes()
    damaged = bytearray(whole)
    damaged[60:90] = bytes(30)
    pages = [Image.fromarray(GREY)] * 2
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    saved(folder, np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3), "floats.tif")
    for name, content in {
        "empty": b"",
        "noise": b"no image",
        "truncated": whole[: len(whole) // 2],
        "damaged": bytes(damaged),
    }.items():
        (folder / f"{name}.png").write_bytes(content)
    (folder / "folder.png").mkdir()
    names = (
        "empty.png",
        "noise.png",
        "truncated.png",
        "damaged.png",
        "folder.png",
        "pages.tif",
        "floats.tif",
        "no.png",
    )
    return {name: folder / name for name in names}


def test_what_is_no_image_is_refused_in_one_line_that_names_it(tmp_path):
    for name, path in files_that_cannot_be_read(tmp_path).items():
        with pytest.raises(DataError) as caught:
            read(path)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_large_picture_is_read_in_strips_with_the_same_result(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    path = saved(tmp_path, rng.integers(0, 256, (13, 7, 4), dtype=np.uint8))
    forms = [ImageForm(size=[5, 3], channels=channels) for channels in (None, 1, 3, 4)]
    expected = [read_image(path, form) for form in forms]
    covered = read_coverage(path, forms[0])
    monkeypatch.setattr(module, "_AT_ONCE", 20)
    assert all(torch.equal(read_image(path, form), values) for form, values in zip(forms, expected, strict=True))
    torch.testing.assert_close(read_coverage(path, forms[0]), covered)


def test_a_picture_too_large_for_an_input_needs_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_NUMBERS", 17)
    with pytest.raises(DataError, match=r"image\.png has 3 × 2 pixels.*give the setting size"):
        read(saved(tmp_path, COLOUR))
    assert read(saved(tmp_path, COLOUR), size=2).shape == (3, 2, 2)
    with pytest.raises(RecipeError, match="size is 3; expected at most 4 pixels"):
        ImageForm(size=3)


def test_a_mask_in_a_smaller_size_marks_each_place_that_holds_a_marked_pixel(tmp_path):
    marks = np.zeros((6, 5), dtype=np.uint8)
    marks[1, 2] = 1
    path = saved(tmp_path, marks)
    assert read_mask(path, ImageForm(size=[3, 5])).nonzero().tolist() == [[0, 2]]
    assert read_mask(path, ImageForm(size=2)).nonzero().tolist() == [[0, 0], [0, 1]]  # Half of the pixel in each.
    assert read_mask(path, ImageForm(size=[3, 10])).nonzero().tolist() == [[0, 4], [0, 5]]
    torch.testing.assert_close(
        read_coverage(path, ImageForm(size=[2, 5]))[0, 2], torch.tensor(1 / 3, dtype=torch.float64)
    )


@pytest.mark.parametrize("kind", ["bmp", "gif", "jpg", "png", "tif", "webp"])
def test_no_damage_gives_another_error(tmp_path, kind):
    rng = np.random.default_rng(1)
    path = saved(tmp_path, rng.integers(0, 256, (16, 12, 3), dtype=np.uint8), f"whole.{kind}")
    whole = path.read_bytes()
    for trial in range(60):
        damaged = bytearray(whole)
        damaged[rng.integers(min(len(whole), 200))] = rng.integers(256)
        path.write_bytes(bytes(damaged[: rng.integers(len(whole))] if trial % 3 == 0 else damaged))
        with suppress(DataError):
            assert read(path, size=4, channels=3).shape == (3, 4, 4)
