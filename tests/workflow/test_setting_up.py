"""``init`` on data that is there already: a recipe that fits it, or one line about where to put it."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from corrigible.recipe import Recipe
from corrigible.study import open_study
from studies import corrigible, edit, image_study, refused


def pictures(folder: Path, *, mode: str = "RGB", size: tuple[int, int] = (20, 12), count: int = 3) -> None:
    folder.mkdir(parents=True)
    for place in range(count):
        Image.new(mode, size, place).save(folder / f"{place}.jpg")


def made(study: Path) -> tuple[Recipe, list[str]]:
    """The recipe that init writes, and its lines about what to do next."""
    answer = corrigible("init", study, "--json")
    assert answer.code == 0, answer
    return open_study(study).recipe, answer.records[0]["next"]


def test_colour_pictures_get_their_size_channels_and_a_network_that_learns_from_them(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for name in ("cat", "dog"):
            pictures(tmp_path / "data" / split / name)
    recipe, (line,) = made(tmp_path)
    assert (recipe.kind, recipe.data, recipe.model) == ("image", {"size": [12, 20], "channels": 3}, "small_cnn")
    assert (recipe.validation_split, recipe.evaluate.split) == ("val", "test")
    assert "2 classes in data/train: cat (3), dog (3)" in recipe.text
    assert f"corrigible train {tmp_path}" in line
    path = tmp_path / "recipe.toml"
    path.write_text(path.read_text().replace(f"epochs = {recipe.train.epochs}", "epochs = 1"))
    assert corrigible("train", tmp_path).code == 0


@pytest.mark.parametrize(
    ("mode", "size", "expected"),
    [
        ("L", (28, 28), ({"size": 28, "channels": 1}, "lenet")),
        ("RGB", (640, 480), ({"size": 64, "channels": 3}, "small_cnn")),
        ("RGB", (5, 40), ({"size": [40, 5], "channels": 3}, "mlp")),
    ],
)
def test_the_form_fits_what_is_stored(mode: str, size: tuple[int, int], expected: object, tmp_path: Path) -> None:
    for name in "ab":
        pictures(tmp_path / "data/train" / name, mode=mode, size=size)
    recipe, lines = made(tmp_path)
    assert (recipe.data, recipe.model) == expected
    assert recipe.validation_split == ""
    assert "has no test rows" in lines[0]


def test_arrays_get_a_network_of_their_size(tmp_path: Path) -> None:
    image_study(tmp_path)
    (tmp_path / "recipe.toml").unlink()
    recipe, _ = made(tmp_path)
    assert (recipe.kind, recipe.data, recipe.model) == ("image", {}, "small_cnn")


def test_the_target_of_a_table_is_only_suggested(tmp_path: Path) -> None:
    columns = {"id": [1, 2], "car": ["van", "small"], 'price "€"\n': [10.5, 20.25]}
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        pd.DataFrame(columns).to_csv(tmp_path / "data" / f"{split}.csv", index=False)
    recipe, (line,) = made(tmp_path)
    assert (recipe.kind, recipe.data, recipe.task) == ("table", {}, None)
    assert '# target = "price \\"\\u20ac\\""' in recipe.text
    assert "name the column to predict" in line
    assert "has no target; below kind = in recipe.toml write target = " in refused("train", tmp_path)


def test_prices_get_their_metrics_and_texts_are_not_suggested_as_target(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = range(60)
    notes = [f"the number {k} is a good one" for k in rows]
    columns = {"area": [k % 7 for k in rows], "price": [100 * k + 7 for k in rows], "note": notes}
    for split in ("train", "test"):
        pd.DataFrame(columns | {"town": ["a", "b"] * 30}).to_csv(tmp_path / "data" / f"{split}.csv", index=False)
    recipe, _ = made(tmp_path)
    assert '# target = "price"' in recipe.text and '# metrics = ["mean_absolute_error", "r2"' in recipe.text
    edit(tmp_path, '# target = "price"', 'target = "price"\ndrop = ["note"]')
    said = refused("train", tmp_path)
    assert "holds 60 different numbers in 60 rows" in said and 'name = "amounts"' in said
    edit(tmp_path, "# [task]", "[task]")
    edit(tmp_path, '# name = "amounts"', 'name = "amounts"')
    assert open_study(tmp_path).recipe.task == {"name": "amounts"}
    pd.DataFrame({"town": ["a", "b"] * 30, "note": notes}).assign(more=1, other=2)[
        ["town", "more", "other", "note"]
    ].to_csv(tmp_path / "data" / "train.csv", index=False)
    (tmp_path / "recipe.toml").unlink()
    assert '# target = "other"' in made(tmp_path)[0].text


def test_short_tables_of_sentences_are_texts(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = {"said": [f"the number {k} is not a good one" for k in range(9)], "mood": ["bad"] * 9}
    pd.DataFrame(rows).to_csv(tmp_path / "data/train.csv", index=False)
    recipe, lines = made(tmp_path)
    assert (recipe.kind, recipe.data["text"]) == ("text", "said")
    assert '# label = "mood"' in recipe.text and "name the column to predict" in lines[-1]


@pytest.mark.parametrize("place", ["cat/1.jpg", "1.jpg", "prices.csv"])
def test_data_without_splits_is_told_where_to_go_and_nothing_is_made(place: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / place
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path) if place.endswith("jpg") else path.write_text("a,b\n1,2\n")
    said = refused("init", tmp_path)
    assert "train" in said and "init again" in said
    assert not (tmp_path / "recipe.toml").exists()


def test_an_empty_folder_gets_a_template_of_the_kind_that_is_asked_for(tmp_path: Path) -> None:
    for kind in ("image", "table", "text"):
        assert corrigible("init", tmp_path / kind, "--kind", kind).code == 0
        assert open_study(tmp_path / kind).recipe.kind == kind


def test_init_says_what_it_found_and_refuses_a_single_class(tmp_path: Path) -> None:
    study = tmp_path / "study"
    for name in ("cat", "dog"):
        folder = study / "data" / "train" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (9, 7)).save(folder / "1.png")
    said = corrigible("init", study).stdout
    assert "found 2 training images of cat, dog, 7 × 9 pixels, in colour, for train" in " ".join(said.split())
    (study / "recipe.toml").unlink()
    shutil.rmtree(study / "data" / "train" / "dog")
    assert "holds one class, 'cat'; expected a folder for each of two" in refused("init", study)


def test_columns_that_name_single_rows_are_said_with_the_key_that_leaves_them_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = range(40)
    columns = {
        "customer_id": [7919 * row % 100_003 for row in rows],
        "seen": [f"2024-01-{row % 28 + 1:02}" for row in rows],
        "place": [f"ward {row}" for row in rows],
        "line": list(rows),
        "paid": [331 * row % 10_007 for row in rows],
        "weight": [0.5 + row / 7 for row in rows],
        "label": [row % 2 for row in rows],
    }
    for split in ("train", "test"):
        pd.DataFrame(columns).to_csv(tmp_path / "data" / f"{split}.csv", index=False)
    said = corrigible("init", tmp_path).stderr.splitlines()
    assert [line.split("'")[1] for line in said] == ["customer_id", "seen", "place", "line"]
    assert "column 'seen' holds dates or times" in said[1] and 'drop = ["seen"] in [data]' in said[1]
    edit(
        tmp_path, '# drop = ["customer_id", "seen", "place", "line"]', 'drop = ["customer_id", "seen", "place", "line"]'
    )
    edit(tmp_path, '# target = "label"', 'target = "label"')
    assert corrigible("train", tmp_path, "--epochs", 1).code == 0
