"""Folders of images: which rows there are, and that pixels are read when asked for."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from corrigible.data import image_file
from corrigible.data.dataset import all_labels, all_rows, as_dataset, labelled, rows_of, shape_of
from corrigible.data.image import load_images
from corrigible.data.image_folder import image_folder, splits_in
from corrigible.errors import DataError

FILES = ("train/cat/1.png", "train/cat/10.png", "train/dog/2.png", "test/dog/7.png", "test/cat/3.png")


def draw(folder: Path, *files: str, size: tuple[int, int] = (4, 6)) -> None:
    """An image for each name, whose first pixel is the number it is called by."""
    for file in files:
        values = np.zeros(size, dtype=np.uint8)
        values[0, 0] = int(Path(file).stem)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(folder / file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path, *FILES)
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of every image that is read."""
    found: list[str] = []
    decoded = image_file.decoded

    def noted(path: Path) -> Image.Image:
        found.append(path.name)
        return decoded(path)

    monkeypatch.setattr(image_file, "decoded", noted)
    return found


def test_rows_come_class_by_class_in_the_order_of_names(folder):
    data = load_images(folder, "train")
    assert data.files == FILES[:3]
    assert data.y.tolist() == [0, 0, 1] and data.class_names == ("cat", "dog")
    assert [int(data[row][0][0, 0, 0] * 255) for row in range(3)] == [1, 10, 2]


def test_training_says_which_label_a_class_has(folder):
    draw(folder, "validation/dog/1.png")
    assert load_images(folder, "validation").y.tolist() == [1]
    assert image_folder(folder, "validation").y.tolist() == [0]


def test_numbered_classes_are_sorted_as_numbers(tmp_path):
    draw(tmp_path, *(f"train/{name}/1.png" for name in ("10", "9", "0")))
    assert load_images(tmp_path, "train").class_names == ("0", "9", "10")


def test_nothing_is_read_before_a_row_is_asked_for(folder, reads):
    data = labelled(as_dataset(load_images(folder, "train")))
    assert len(data) == 3 and all_labels(data).tolist() == [0, 0, 1]
    assert reads == []
    rows_of(data, torch.tensor([2]))
    assert set(reads) == {"1.png", "2.png"}  # The first image says what shape all must have.
    assert shape_of(data) == (1, 4, 6)
    assert "10.png" not in reads


def test_rows_are_those_of_the_files(folder):
    data = load_images(folder, "train", size=[4, 6], channels=3)
    found = all_rows(as_dataset(data))
    assert found.x.shape == (3, 3, 4, 6) and found.x.dtype == torch.float32
    assert found.y.tolist() == [0, 0, 1]
    torch.testing.assert_close(found.x[:, 1, 0, 0] * 255, torch.tensor([1.0, 10, 2]))


def test_images_of_another_size_are_refused_by_name_unless_a_size_is_given(folder):
    draw(folder, "train/dog/20.png", size=(5, 6))
    with pytest.raises(
        DataError, match=r"train/dog/20\.png has 1 × 5 × 6 .* the first image has 1 × 4 × 6.* give size"
    ):
        all_rows(load_images(folder, "train"))
    assert all_rows(load_images(folder, "train", size=3)).x.shape == (4, 1, 3, 3)


def test_a_broken_image_is_named(folder):
    (folder / "train/dog/2.png").write_bytes(b"no image")
    data = load_images(folder, "train")
    with pytest.raises(DataError, match=r"train/dog/2\.png cannot be read") as caught:
        data[2]
    assert "\n" not in str(caught.value)
    assert int(data[1][1]) == 0


def test_an_image_that_has_gone_is_named(folder):
    data = load_images(folder, "train")
    (folder / FILES[2]).unlink()
    with pytest.raises(DataError, match=r"no image .*train/dog/2\.png"):
        data[2]


def test_hidden_files_do_not_count(folder):
    (folder / "train/.DS_Store").write_bytes(b"")
    (folder / "train/cat/.hidden.png").write_bytes(b"")
    assert len(load_images(folder, "train")) == 3


def test_links_that_stay_inside_are_followed_and_others_refused(folder, tmp_path_factory):
    (folder / "train/dog/9.png").symlink_to(folder / FILES[0])
    assert len(load_images(folder, "train")) == 4
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    draw(elsewhere, "cow/5.png")
    (folder / "train/cow").symlink_to(elsewhere / "cow")
    with pytest.raises(DataError, match="leads out of"):
        load_images(folder, "train")
    (folder / "train/cow").unlink()
    (folder / "train/dog/9.png").unlink()
    data = load_images(folder, "train")
    (folder / FILES[0]).unlink()
    (folder / FILES[0]).symlink_to(elsewhere / "cow/5.png")
    with pytest.raises(DataError, match="leads out of"):
        data[0]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("train/1.png", r"train/1\.png is not a folder; expected one folder per class"),
        ("train/cat/more/1.png", r"train/cat/more is not an image file"),
        ("train/cat/notes.txt", r"notes\.txt is not an image file; expected \.bmp"),
        ("test/cow/1.png", "has a class 'cow'; expected those of training: cat, dog"),
    ],
)
def test_what_is_where_it_does_not_belong_is_named(folder, file, words):
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(b"")
    with pytest.raises(DataError, match=words):
        load_images(folder, file.split("/")[0])


def test_folders_without_images_are_refused(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match="is empty"):
        load_images(tmp_path, "train")
    (tmp_path / "train" / "cat").mkdir()
    with pytest.raises(DataError, match="hold no images"):
        load_images(tmp_path, "train")


def test_arrays_and_a_folder_of_the_same_split_are_refused(folder):
    np.savez(folder / "train.npz", x=np.zeros((2, 4, 4)), y=[0, 1])
    with pytest.raises(DataError, match="both"):
        load_images(folder, "train")


def test_arrays_take_no_size(tmp_path):
    np.savez(tmp_path / "train.npz", x=np.zeros((2, 4, 4)), y=[0, 1])
    with pytest.raises(DataError, match="for image files"):
        load_images(tmp_path, "train", size=8)


def test_splits_are_the_folders_that_have_the_classes_of_training(tmp_path):
    for file in ("train/cat", "train/dog", "test/cat", "test/dog", "masks/irrelevant/train", "notes", "old/cat"):
        (tmp_path / file).mkdir(parents=True)
    assert splits_in(tmp_path) == ["test", "train"]
    assert splits_in(tmp_path / "old") == []
    assert splits_in(tmp_path / "nothing") == []


def test_a_hidden_folder_is_no_class_and_no_split(tmp_path):
    hidden = ("train/.ipynb_checkpoints", ".cache/cat", ".cache/dog")
    for file in ("train/cat", "train/dog", "test/cat", "test/dog", *hidden):
        (tmp_path / file).mkdir(parents=True)
    assert splits_in(tmp_path) == ["test", "train"]


def test_what_systems_leave_behind_is_no_class_no_picture_and_no_split(folder):
    for name in ("__MACOSX/cat", "__MACOSX/dog", "train/__MACOSX", "test/@eaDir"):
        (folder / name).mkdir(parents=True)
    for name in ("train/desktop.ini", "train/cat/Thumbs.db", "train/cat/._1.png", "test/dog/.DS_Store"):
        (folder / name).write_bytes(b"")
    assert splits_in(folder) == ["test", "train"]
    assert load_images(folder, "train").files == FILES[:3]
    assert load_images(folder, "test").class_names == ("cat", "dog")


def test_a_class_is_one_in_both_spellings_of_unicode(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    draw(tmp_path, f"train/{decomposed}/1.png", "train/zoo/2.png", f"test/{composed}/3.png", f"test/{composed}/4.png")
    assert load_images(tmp_path, "train").class_names == (composed, "zoo")
    found = load_images(tmp_path, "test")
    assert found.class_names == (composed, "zoo") and found.y.tolist() == [0, 0]
    assert found[1][0][0, 0, 0] == 4 / 255
    draw(tmp_path, f"test/{decomposed}/5.png")
    with pytest.raises(DataError, match="twice, in two Unicode spellings"):
        load_images(tmp_path, "test")


def test_rows_are_in_the_same_order_in_both_spellings(tmp_path):
    for form in ("NFC", "NFD"):
        for name in ("a", "e1", "é", "f"):
            path = tmp_path / form / "train" / "cat" / unicodedata.normalize(form, f"{name}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (2, 2)).save(path)
    both = [[Path(file).name for file in load_images(tmp_path / form, "train").files] for form in ("NFC", "NFD")]
    assert both[0] == [unicodedata.normalize("NFC", name) for name in both[1]] == ["a.png", "e1.png", "f.png", "é.png"]


def test_a_class_without_images_is_refused_for_training_and_said_elsewhere(folder, caplog):
    (folder / "test/dog/7.png").unlink()
    assert load_images(folder, "test").class_names == ("cat", "dog")
    assert load_images(folder, "test").y.tolist() == [0]
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        f"{folder / 'test'} has no images of dog"
    ]
    (folder / "train/mug").mkdir()
    with pytest.raises(DataError, match=r"train/mug holds no images"):
        load_images(folder, "train")


def test_rows_that_are_read_together_are_those_read_alone(folder, monkeypatch):
    monkeypatch.setattr(image_file, "num_processors", lambda: 3)
    data = labelled(as_dataset(load_images(folder, "train", channels=3)))
    found = rows_of(data, torch.tensor([2, 0, 1, 0]))
    assert found.y.tolist() == [1, 0, 0, 0]
    assert torch.equal(found.x, torch.stack([data[row][0] for row in (2, 0, 1, 0)]))
    (folder / FILES[0]).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"cat/1\.png"):
        rows_of(data, torch.tensor([2, 0, 1]))
