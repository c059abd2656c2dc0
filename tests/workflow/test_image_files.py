"""A study of image files does what the same study of arrays does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from corrigible import workflow
from corrigible.data.image_folder import ImageFolder
from corrigible.errors import DataError
from corrigible.recipe import load_data
from corrigible.study import open_study
from studies import IMAGE_RECIPE, corrigible, refused, save_images

RECIPE = IMAGE_RECIPE.replace("epochs = 2", "epochs = 1").replace('weight = "auto"', "weight = 10.0")
NAMES = ("ant", "bee", "cow")
SIZES = {"train": 24, "validation": 9, "test": 12}
MARKED = (1, 5, 20)


def images(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Noise with each class's shade in a corner, sorted by class."""
    rng = np.random.default_rng(len(split))
    y = np.sort(np.arange(SIZES[split]) % 3)
    x = rng.integers(0, 256, (len(y), 8, 8), dtype=np.uint8)
    x[:, :2, :2] = 127 * y[:, None, None].astype(np.uint8)
    return x, y


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture
def of_files(tmp_path: Path) -> Path:
    """A study of image files, with masks beside them."""
    study = tmp_path / "files"
    corner = np.zeros((8, 8), dtype=np.uint8)
    corner[:2, :2] = 1
    for split in SIZES:
        for row, (values, label) in enumerate(zip(*images(split), strict=True)):
            name = f"{split}/{NAMES[label]}/{row:03}.png"
            save(study / "data" / name, values)
            if split == "train" and row in MARKED:
                save(study / "masks/irrelevant" / name, corner)
    save(study / "masks/relevant/test/cow/011.png", corner)
    (study / "recipe.toml").write_text(RECIPE)
    return study


@pytest.fixture
def of_arrays(tmp_path: Path) -> Path:
    """The same study of arrays, with the same feedback."""
    study = tmp_path / "arrays"
    for split in SIZES:
        save_images(study, split, *images(split))
    (study / "recipe.toml").write_text(RECIPE)
    return study


@pytest.mark.slow
def test_every_verb_gives_what_it_gives_for_arrays(of_files: Path, of_arrays: Path) -> None:
    list(workflow.import_feedback(of_files, of_files / "masks"))
    for row in MARKED:
        list(workflow.add_feedback(of_arrays, box=(0, 0, 2, 2), row=row))
    for study in (of_files, of_arrays):
        for verb in ("train", "correct", "evaluate", "explain"):
            assert corrigible(verb, study).stderr == ""
    for name in ("0001-train", "0002-correct", "0003-baseline"):
        found, expected = (load_file(study / "runs" / name / "weights.safetensors") for study in (of_files, of_arrays))
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    found, expected = (open_study(study).latest("evaluate").read("evaluation.json") for study in (of_files, of_arrays))
    assert found.pop("class_names") == list(NAMES) and expected.pop("class_names") == []
    for model, other in zip(found["models"], expected["models"], strict=True):
        assert model["confusion"] == other["confusion"]
    attributions = [
        load_file(open_study(study).latest("explain").folder / "attributions.safetensors")["attribution"]
        for study in (of_files, of_arrays)
    ]
    torch.testing.assert_close(*attributions)
    assert attributions[0].shape == (12, 1, 8, 8)


def test_pixels_stay_on_the_disk(of_files: Path) -> None:
    study = open_study(of_files)
    data = load_data(study.recipe, study.folder, "train")
    assert isinstance(data, ImageFolder) and len(data) == 24
    for path in (of_files / "data/train").rglob("*.png"):
        path.unlink()
    assert data.y.bincount().tolist() == [8, 8, 8]
    with pytest.raises(DataError, match="no image"):
        data[0]


def test_masks_become_feedback_on_the_rows_of_their_images(of_files: Path) -> None:
    answer = corrigible("feedback", "import", of_files, of_files / "masks")
    assert answer.code == 0
    with open_study(of_files).feedback() as store:
        said = [feedback for _, feedback in store.active()]
    assert sorted((s.split, s.row, s.polarity) for s in said) == [
        *(("test", 11, "relevant"),),
        *(("train", row, "irrelevant") for row in MARKED),
    ]
    assert all(s.region.mask.nonzero()[0].tolist() == [0, 0, 1, 1] and s.fingerprint for s in said)
    assert said[0].note == "mask of train/ant/001.png"


def test_a_changed_image_is_noticed(of_files: Path) -> None:
    corrigible("train", of_files)
    corrigible("feedback", "import", of_files, of_files / "masks")
    save(of_files / "data/train/ant/001.png", np.zeros((8, 8), dtype=np.uint8))
    assert "train/ant/001.png has fingerprint" in refused("correct", of_files)


def test_one_wrong_mask_and_nothing_is_stored(of_files: Path) -> None:
    save(of_files / "masks/irrelevant/train/bee/999.png", np.ones((8, 8), dtype=np.uint8))
    assert "999.png has no image" in refused("feedback", "import", of_files, of_files / "masks")
    with open_study(of_files).feedback() as store:
        assert store.active() == []


def test_masks_need_images_kept_as_files(of_arrays: Path, of_files: Path) -> None:
    with pytest.raises(DataError, match=r"names no row; expected row-0\.png"):
        list(workflow.import_feedback(of_arrays, of_files / "masks"))


def test_a_file_stands_where_a_row_number_does(of_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("train/bee/009.png", "data/train/bee/009.png", of_files / "data/train/bee/009.png"):
        assert corrigible("feedback", "add", of_files, "--box", 0, 0, 2, 2, "--file", given).code == 0
    monkeypatch.chdir(of_files / "data")
    assert corrigible("feedback", "add", of_files, "--box", 0, 0, 2, 2, "--file", "test/cow/011.png").code == 0
    assert corrigible("feedback", "add", of_files, "--box", 0, 0, 2, 2, "--label", "bee").code == 0
    with open_study(of_files).feedback() as store:
        said = [feedback for _, feedback in store.active()]
    assert [(one.split, one.row) for one in said[:4]] == [*[("train", 9)] * 3, ("test", 11)]
    assert said[0].fingerprint and said[4].label == 1
    listed = corrigible("feedback", "list", of_files, "--json").records
    assert [entry["file"] for entry in listed] == [*["train/bee/009.png"] * 3, "test/cow/011.png", ""]
    assert listed[4]["class_name"] == "bee"
    shown = corrigible("feedback", "list", of_files).stdout
    assert "train/bee/009.png" in shown and "class bee" in shown
    add = ("feedback", "add", of_files, "--box", 0, 0, 2, 2)
    assert "did you mean 'train/bee/009.png'" in refused(*add, "--file", "train/bee/09.png")
    assert "say it about one row" in refused(*add, "--file", "train/bee/009.png", "--row", 3)
    assert "leave out the split" in refused(*add, "--file", "train/bee/009.png", "--split", "test")
    assert "files are named '009.png'; expected one, such as test/" in refused(*add, "--file", "009.png")
    assert "there is no file '909.png' inside" in refused(*add, "--file", "909.png")
    assert "leave out the split" in refused(*add, "--file", "test/cow/011.png", "--split", "train")


def test_a_name_that_one_file_alone_has_needs_no_folder(of_files: Path) -> None:
    (of_files / "data/train/bee/009.png").rename(of_files / "data/train/bee/zoo.png")
    add = ("feedback", "add", of_files, "--box", 0, 0, 2, 2)
    assert corrigible(*add, "--file", "zoo.png").code == corrigible(*add, "--file", "bee/zoo.png").code == 0
    listed = corrigible("feedback", "list", of_files, "--json").records
    assert {entry["file"] for entry in listed} == {"train/bee/zoo.png"}


@pytest.mark.parametrize("box", [(0, 0, 9, 2), (0, -1, 2, 2), (0, 0, 0, 2), (7, 7, 2, 1)])
def test_a_box_outside_of_the_images_is_refused_whether_or_not_rows_are_read(of_files: Path, box: tuple) -> None:
    add = ("feedback", "add", of_files, "--box", *box)
    assert "does not lie inside images of 8 × 8 pixels" in refused(*add)
    assert "does not lie inside images of 8 × 8 pixels" in refused(*add, "--row", 0)


def test_files_need_images_kept_as_files(of_arrays: Path) -> None:
    said = refused("feedback", "add", of_arrays, "--box", 0, 0, 2, 2, "--file", "train/bee/009.png")
    assert "the rows of this study are not files" in said


def test_an_image_is_a_mask(of_files: Path, of_arrays: Path, tmp_path: Path) -> None:
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[5:, 6:] = 1
    save(tmp_path / "mask.png", mask)
    for study, place in ((of_files, ("--file", "train/ant/001.png")), (of_arrays, ()), (of_files, ())):
        assert corrigible("feedback", "add", study, "--mask", tmp_path / "mask.png", *place).code == 0
        with open_study(study).feedback() as store:
            assert np.array_equal(store.active()[-1][1].region.mask, mask > 0)
    save(tmp_path / "small.png", mask[:4])
    said = refused("feedback", "add", of_files, "--mask", tmp_path / "small.png")
    assert "is 4 × 8 pixels" in said and "expected 8 × 8" in said


def test_doubts_name_files(of_files: Path) -> None:
    mask = of_files.parent / "all.npy"
    np.save(mask, np.ones((8, 8), dtype=bool))
    (noted,) = corrigible("feedback", "add", of_files, "--mask", mask, "--file", "train/cow/020.png", "--json").records
    assert "'irrelevant in train/cow/020.png" in noted["doubts"][0]
    assert "every input is marked irrelevant in train/cow/020.png" in refused_correction(of_files)


def refused_correction(study: Path) -> str:
    corrigible("train", study)
    return refused("correct", study)
