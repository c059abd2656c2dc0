"""Reading images: what comes back, and one line for every broken file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from corrigible.data.image import load_images
from corrigible.errors import DataError

X = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
Y = np.array([1, 0])


def saved(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "train.npz", **arrays)
    return folder


def test_bytes_become_zero_to_one_in_one_channel(tmp_path):
    data = load_images(saved(tmp_path, x=X, y=Y, group=np.array([2, 0], dtype=np.uint8)), "train")
    torch.testing.assert_close(data.x, torch.from_numpy(X)[:, None].float() / 255)
    assert data.y.tolist() == [1, 0] and data.group is not None and data.group.tolist() == [2, 0]


def test_floating_point_stays_as_it_is(tmp_path):
    x = np.linspace(-3, 3, 2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    data = load_images(saved(tmp_path, x=x, y=Y), "train")
    assert data.x.dtype == torch.float32 and data.group is None
    torch.testing.assert_close(data.x, torch.from_numpy(x).float())


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X}, "no array 'y'; it has x"),
        ({"y": Y}, "no array 'x'; it has y"),
        ({"x": np.array([X, None], dtype=object), "y": Y}, "not that of an .npy array of numbers"),
        ({"x": X[0], "y": Y}, r"shape \(3, 4\)"),
        ({"x": X[:0], "y": Y[:0]}, r"shape \(0, 3, 4\)"),
        ({"x": np.zeros((2, 8, 8, 3), np.uint8), "y": Y}, "channels last"),
        ({"x": X.astype(np.int64), "y": Y}, "int64"),
        ({"x": X, "y": Y[:1]}, r"y in .* has shape \(1,\)"),
        ({"x": X, "y": Y[:, None]}, r"y in .* has shape \(2, 1\)"),
        ({"x": X, "y": Y.astype(float)}, "y in .* holds float64"),
        ({"x": X, "y": -Y}, "y in .* is -1 in row 0"),
        ({"x": X, "y": Y, "group": -Y}, "group in .* is -1 in row 0"),
        ({"x": np.where(X == 20, np.nan, X / 255), "y": Y}, "row 1 of x"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(tmp_path, arrays, words):
    with pytest.raises(DataError, match=words) as caught:
        load_images(saved(tmp_path, **arrays), "train")
    assert "\n" not in str(caught.value) and "train.npz" in str(caught.value)


def broken_files() -> dict[str, bytes]:
    from io import BytesIO

    whole, array = BytesIO(), BytesIO()
    np.savez_compressed(whole, x=X, y=Y)
    np.save(array, X)
    content = whole.getvalue()
    middle = bytearray(content)
    middle[60:90] = bytes(30)
    return {
        "empty": b"",
        "noise": b"not an archive",
        "truncated": content[: len(content) // 2],
        "damaged": bytes(middle),
        "a single array": array.getvalue(),
    }


@pytest.mark.parametrize("name", broken_files())
def test_broken_files_are_refused_in_one_line(tmp_path, name):
    (tmp_path / "train.npz").write_bytes(broken_files()[name])
    with pytest.raises(DataError, match="cannot be read") as caught:
        load_images(tmp_path, "train")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no file .*test.npz"):
        load_images(tmp_path, "test")
