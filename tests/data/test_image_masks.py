"""Masks kept as image files: which row each is of, and what it marks in the size of the inputs."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corrigible.data import image_folder as module
from corrigible.data.image import load_images
from corrigible.data.image_masks import masks_for, polarities_in
from corrigible.errors import DataError

FILES = ("train/cat/1.png", "train/cat/10.png", "train/dog/2.png", "test/dog/7.png", "test/cat/3.png")


def draw(folder: Path, *files: str, size: tuple[int, int] = (4, 6)) -> None:
    """An image for each name, whose first pixel is the number it is called by."""
    for file in files:
        values = np.zeros(size, dtype=np.uint8)
        values[0, 0] = int(Path(file).stem)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(folder / file)


def draw_mask(folder: Path, file: str, *marked: tuple[int, int], size: tuple[int, int] = (4, 6)) -> None:
    values = np.zeros(size, dtype=np.uint8)
    for place in marked:
        values[place] = 255
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(folder / file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path, *FILES)
    return tmp_path


def masked(folder: Path, data: module.ImageFolder, polarity: str = "irrelevant") -> dict[int, list[list[int]]]:
    return {row: mask.nonzero().tolist() for row, mask in masks_for(data, folder / "masks", polarity, "train")}


def test_masks_belong_to_the_images_of_their_names(folder):
    data = load_images(folder, "train")
    draw_mask(folder, "masks/irrelevant/train/dog/2.bmp", (0, 1), (3, 5))
    draw_mask(folder, "masks/irrelevant/train/cat/1.png")
    assert masked(folder, data) == {0: [], 2: [[0, 1], [3, 5]]}
    assert list(polarities_in(folder / "masks")) == [("irrelevant", "train")]


def test_masks_are_stretched_as_their_images_are(folder):
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", (1, 2))
    assert masked(folder, load_images(folder, "train", size=[8, 12])) == {2: [[2, 4], [2, 5], [3, 4], [3, 5]]}


def test_masks_that_fit_no_image_are_refused(folder):
    data = load_images(folder, "train")
    draw_mask(folder, "masks/irrelevant/train/dog/3.png", (0, 0))
    with pytest.raises(DataError, match=r"dog/3\.png has no image of its name"):
        masked(folder, data)
    (folder / "masks/irrelevant/train/dog/3.png").unlink()
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", (0, 0), size=(4, 5))
    with pytest.raises(DataError, match=r"dog/2\.png is 4 × 5 pixels; expected 4 × 6"):
        masked(folder, data)


def test_a_mask_of_two_images_is_refused(folder):
    Image.new("L", (6, 4)).save(folder / "train/dog/2.bmp")
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", (0, 0))
    with pytest.raises(DataError, match="differ in their suffix only"):
        masked(folder, load_images(folder, "train"))


@pytest.mark.parametrize("name", ["unimportant/train/dog/2.png", None])
def test_folders_must_say_what_masks_mean(folder, name):
    (folder / "masks").mkdir()
    if name is not None:
        draw_mask(folder, f"masks/{name}", (0, 0))
    with pytest.raises(DataError, match="expected folders named irrelevant or relevant"):
        list(polarities_in(folder / "masks"))


def test_a_thin_line_is_not_lost_in_a_smaller_size(folder):
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", *((2, column) for column in range(6)))
    assert masked(folder, load_images(folder, "train", size=[1, 2])) == {2: [[0, 0], [0, 1]]}


def test_masks_that_share_no_pixel_share_no_place_in_a_smaller_size(folder):
    """A place belongs to the mask that has more of it; where both have as much, it is irrelevant."""
    everywhere = {(row, column) for row in range(4) for column in range(6)}
    left = {(row, column) for row, column in everywhere if column < 4 and not (row == 0 and column == 3)}
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", *left)
    draw_mask(folder, "masks/relevant/train/dog/2.png", *(everywhere - left))
    data = load_images(folder, "train", size=[2, 2])
    assert masked(folder, data) == {2: [[0, 0], [1, 0]]}
    assert masked(folder, data, "relevant") == {2: [[0, 1], [1, 1]]}
    columns = load_images(folder, "train", size=[4, 1])
    draw_mask(folder, "masks/relevant/train/dog/2.png", *(everywhere - left), (0, 2))
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", *(left - {(0, 2)}))
    assert masked(folder, columns) == {2: [[1, 0], [2, 0], [3, 0]]}
    assert masked(folder, columns, "relevant") == {2: [[0, 0]]}


def test_masks_that_share_a_pixel_both_keep_it(folder):
    for polarity in ("irrelevant", "relevant"):
        draw_mask(folder, f"masks/{polarity}/train/dog/2.png", *((row, 0) for row in range(4)))
    data = load_images(folder, "train", size=[4, 6])
    assert masked(folder, data) == masked(folder, data, "relevant") == {2: [[row, 0] for row in range(4)]}


def test_a_mask_keeps_its_last_place_although_the_other_has_more_of_it(folder):
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", (1, 1))
    draw_mask(folder, "masks/relevant/train/dog/2.png", *((row, column) for row in range(2, 4) for column in range(6)))
    data = load_images(folder, "train", size=[1, 1])
    assert masked(folder, data) == masked(folder, data, "relevant") == {2: [[0, 0]]}


def test_a_name_in_another_spelling_of_unicode_is_that_of_its_image(folder):
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    Image.new("L", (6, 4)).save(folder / f"train/dog/{composed}.png")
    draw_mask(folder, f"masks/irrelevant/train/dog/{decomposed}.png", (0, 1))
    assert masked(folder, load_images(folder, "train")) == {3: [[0, 1]]}


def test_what_systems_leave_behind_is_no_mask_and_no_polarity(folder):
    draw_mask(folder, "masks/irrelevant/train/dog/2.png", (0, 1))
    (folder / "masks/__MACOSX/irrelevant").mkdir(parents=True)
    for name in ("masks/desktop.ini", "masks/irrelevant/train/dog/Thumbs.db"):
        (folder / name).write_bytes(b"")
    assert list(polarities_in(folder / "masks")) == [("irrelevant", "train")]
    assert masked(folder, load_images(folder, "train")) == {2: [[0, 1]]}


def test_two_masks_of_one_image_are_refused(folder):
    for kind in ("png", "bmp"):
        draw_mask(folder, f"masks/irrelevant/train/dog/2.{kind}", (0, 0))
    with pytest.raises(DataError, match="differ in their suffix only"):
        masked(folder, load_images(folder, "train"))
