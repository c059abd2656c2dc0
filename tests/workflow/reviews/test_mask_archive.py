"""What is packed as masks can be read again, whatever images are called; what is no such archive is refused."""

import random

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.data.image import load_images
from corrigible.data.image_masks import masks_for, masks_of_rows
from corrigible.errors import FeedbackError
from corrigible.said import Feedback, Pixels
from corrigible.workflow.reviews.mask_archive import packed, unpack
from corrigible.workflow.reviews.subject import Subject

FILES = ("cat/a.png", "cat/a.bmp", "cat/a.x.png", "cat/b.png", "dog/a.png")
MARKS = [np.arange(64).reshape(8, 8) == row for row in range(len(FILES))]
SAID = [Feedback(Pixels(mask), row=row) for row, mask in enumerate(MARKS)]


@pytest.fixture
def files(tmp_path):
    for file in FILES:
        (tmp_path / "data/train" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / "data/train" / file)
    return Subject(nn.Flatten(), {"train": load_images(tmp_path / "data", "train")}, "occlusion")


@pytest.fixture
def arrays():
    return Subject(nn.Flatten(), {"train": TensorData(torch.zeros(5, 1, 8, 8), torch.arange(5) % 2)}, "occlusion")


def unpacked(archive, place):
    (place / "masks.zip").write_bytes(archive)
    (place / "masks").mkdir()
    unpack(place / "masks.zip", place / "masks")
    return place / "masks"


@pytest.mark.parametrize("kind", ["files", "arrays"])
def test_every_mask_comes_back_to_its_row(kind, request, tmp_path):
    subject = request.getfixturevalue(kind)
    data, folder = subject.data["train"], unpacked(packed(subject, SAID), tmp_path)
    read = masks_for if kind == "files" else masks_of_rows
    found = {row: mask.numpy() for row, mask in read(data, folder, "irrelevant", "train")}
    assert sorted(found) == list(range(len(FILES)))
    assert all(np.array_equal(found[row], mask) for row, mask in enumerate(MARKS))


def test_an_archive_that_was_damaged_anywhere_is_refused_or_read(arrays, tmp_path):
    archive, rng, refused = packed(arrays, SAID), random.Random(0), 0
    (tmp_path / "masks").mkdir()
    for _ in range(300):
        broken = bytearray(archive)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        (tmp_path / "masks.zip").write_bytes(broken[: rng.choice([len(broken), rng.randrange(len(broken))])])
        try:
            unpack(tmp_path / "masks.zip", tmp_path / "masks")
        except FeedbackError:
            refused += 1
    assert refused > 150
