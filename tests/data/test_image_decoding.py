"""Image files as cameras and computers write them: which picture counts, which way up, and how large it may be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from corrigible.data import image_decoding as module
from corrigible.data.image_file import ImageForm, read_image, stored_size
from corrigible.errors import DataError

GREY = np.array([[0, 51, 102], [153, 204, 255]], dtype=np.uint8)
TURNED = {1: GREY, 3: GREY[::-1, ::-1], 6: np.rot90(GREY, -1), 8: np.rot90(GREY)}
"""What a viewer shows, by the orientation that a camera noted."""


def read(path: Path, **form: object) -> torch.Tensor:
    return read_image(path, ImageForm(**form))


def frames(path: Path, *greys: int, **settings: object) -> Path:
    first, *others = (Image.new("L", (16, 16), grey) for grey in greys)
    first.save(path, save_all=True, append_images=others, **settings)
    return path


def test_of_a_cameras_pictures_in_one_file_the_first_counts(tmp_path):
    found = read(frames(tmp_path / "photo.jpg", 200, 20, format="MPO"))
    torch.testing.assert_close(found, torch.full((1, 16, 16), 200 / 255))


@pytest.mark.parametrize("kind", ["gif", "png", "tif", "webp"])
def test_frames_and_pages_are_refused_with_their_number(tmp_path, kind):
    with pytest.raises(DataError, match=rf"moving\.{kind} holds 2 pictures"):
        read(frames(tmp_path / f"moving.{kind}", 200, 20))


def test_a_gif_of_one_frame_is_a_picture(tmp_path):
    torch.testing.assert_close(read(frames(tmp_path / "one.gif", 100), channels=1), torch.full((1, 16, 16), 100 / 255))


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_a_picture_is_upright_in_every_format(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{kind}"
    Image.fromarray(GREY).save(path, exif=exif)
    expected = TURNED[orientation]
    assert stored_size(path) == expected.shape
    torch.testing.assert_close(read(path)[0] * 255, torch.from_numpy(expected.copy()).float())


def test_an_orientation_that_does_not_exist_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    Image.fromarray(GREY).save(tmp_path / "odd.png", exif=exif)
    assert stored_size(tmp_path / "odd.png") == (2, 3)
    assert read(tmp_path / "odd.png").shape == (1, 2, 3)


def test_sixteen_bits_are_read_in_both_orders_of_bytes(tmp_path):
    values = np.array([[0, 13107, 65535]])
    for order in ("<", ">"):
        Image.fromarray(values.astype(f"{order}u2")).save(tmp_path / "deep.tif")
        torch.testing.assert_close(read(tmp_path / "deep.tif"), torch.tensor([[[0, 0.2, 1]]]))


def test_inks_become_colours(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    torch.testing.assert_close(read(tmp_path / "print.jpg").mean((1, 2)), torch.tensor([1.0, 0, 0]), atol=0.02, rtol=0)


def test_a_transparent_colour_is_black(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "key.png", transparency=204)
    expected = torch.from_numpy(GREY).float() / 255
    expected[1, 1] = 0
    torch.testing.assert_close(read(tmp_path / "key.png", channels=1)[0], expected)


def test_other_formats_are_not_decoded_under_any_name(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "page.png", format="PPM")
    with pytest.raises(DataError, match=r"page\.png cannot be read as an image"):
        read(tmp_path / "page.png")


def test_what_takes_too_much_memory_to_decode_is_refused_with_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 7)
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    assert read(tmp_path / "grey.png", size=1).shape == (1, 1, 1)
    Image.fromarray(np.dstack([GREY] * 3)).save(tmp_path / "colour.png")
    with pytest.raises(DataError, match=r"colour\.png has 3 × 2 pixels.*shrink"):
        read(tmp_path / "colour.png", size=1)


def test_a_bomb_of_pillow_is_refused(tmp_path, monkeypatch):
    Image.fromarray(GREY).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    with pytest.raises(DataError, match=r"bomb\.png has more than 4 pixels; shrink"):
        read(tmp_path / "bomb.png", size=1)
