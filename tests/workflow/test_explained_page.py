"""The page of ``explain``: the rows worth looking at, for every kind of data, before there is any feedback."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import load_file

from corrigible.data.dataset import TensorData
from corrigible.explanations.explaining import EXPLAINERS
from corrigible.trusted_code import own
from corrigible.workflow.explained_page import GRADIENTS
from corrigible.workflow.instructive_rows import WRONG, instructive_rows
from studies import IMAGE_RECIPE, TABLE_RECIPE, corrigible, edit, image_study, refused, table_study, text_study

HOSTILE = "<b>&\"'"


def explained(study: Path, *more: object) -> tuple[str, Path]:
    """The page, and the folder of the run."""
    if not (study / "runs").exists():
        assert corrigible("train", study).code == 0
    *_, finished = corrigible("explain", study, *more, "--json").records
    page = Path(finished["page"])
    assert page == Path(finished["path"]) / "explain.html"
    html = page.read_text(encoding="utf-8")
    assert html.rstrip().endswith("</html>")
    assert "<script" not in html and not re.search(r"https?:|<link|url\(", html)
    return html, page.parent


def test_arrays_of_images_are_drawn_under_their_row_numbers_and_verified(tmp_path: Path) -> None:
    html, _ = explained(image_study(tmp_path))
    assert html.count('class="picture') == 2 * html.count("<figcaption>") > 20
    assert "24 rows of test" in html and "Row 0" in html
    assert corrigible("verify", tmp_path).code == 0
    assert f"look at {tmp_path}" in corrigible("explain", tmp_path).stdout


def test_maps_that_are_speckle_are_replaced_by_covered_patches(tmp_path: Path) -> None:
    html, _ = explained(image_study(tmp_path))
    assert "when a patch there is covered" in html
    edit(tmp_path, "input_gradient", "integrated_gradients")
    html, _ = explained(tmp_path)
    assert "by integrated gradients" in html and "is covered" not in html


def picture_study(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "validation", "test"):
        for name in ("cat", HOSTILE):
            place = folder / "data" / split / name
            place.mkdir(parents=True)
            for number in range(4):
                colours = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
                Image.fromarray(colours).save(place / f"{number}.png")
    (folder / "recipe.toml").write_text(IMAGE_RECIPE)
    own(folder)
    return folder


def test_files_stand_for_rows_and_can_be_chosen(tmp_path: Path) -> None:
    study = picture_study(tmp_path)
    html, _ = explained(study)
    assert "test/cat/2.png" in html and "test/&lt;b&gt;&amp;&#34;&#39;/2.png" in html and "<b>" not in html
    html, folder = explained(study, "--file", "train/cat/3.png", "--file", "train/cat/1.png")
    assert load_file(folder / "attributions.safetensors")["index"].tolist() == [7, 5]
    assert html.index("train/cat/3.png") < html.index("train/cat/1.png") and html.count("<figcaption>") == 2
    assert "did you mean 'test/cat/3.png'" in refused("explain", study, "--file", "test/cat/33.png")
    assert "expected files of one" in refused("explain", study, "--file", "test/cat/3.png", "--file", "train/cat/3.png")


def test_a_table_shows_its_own_values(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    rows = pd.read_csv(study / "data/test.csv")
    html, _ = explained(study)
    assert "site = south" in html
    row, of_row = re.findall(r'class="file">Row (\d+)</span>(.*?)</figure>', html, flags=re.DOTALL)[0]
    assert f"age = {rows.iloc[int(row)]['age']:g}" in of_row
    assert re.search(r"predicted <strong>[01]</strong>, \d+\.\d\u00a0%", html)


def test_the_recipe_s_words_stand_for_columns_categories_and_classes(tmp_path: Path) -> None:
    words = '[labels]\nsite = "Place"\n"site=north" = "the north"\n"1" = "ill"\n[data]\n'
    study = table_study(tmp_path, TABLE_RECIPE.replace("[data]\n", words))
    html, _ = explained(study)
    assert "Place = the north" in html and "label <strong>ill</strong>" in html
    *_, finished = corrigible("suspect", study, "--json").records
    page = Path(finished["page"]).read_text(encoding="utf-8")
    assert "Place" in page and "label ill" in page
    edit(study, 'site = "Place"', 'sites = "Place"')
    assert "unknown name in [labels] 'sites': did you mean 'site'?" in corrigible("explain", study).stderr


def test_words_are_coloured(tmp_path: Path) -> None:
    html, _ = explained(text_study(tmp_path))
    assert re.search(r'<p class="coloured-text".*>zeb1<', html)


def test_numbers_stand_in_their_unit_with_their_error(tmp_path: Path) -> None:
    study = table_study(tmp_path, TABLE_RECIPE)
    for path in (study / "data").glob("*.csv"):
        frame = pd.read_csv(path)
        frame.assign(label=1000 * frame["age"]).to_csv(path, index=False)
    edit(study, 'group = "sex"\n', '[task]\nname = "amounts"\nunit = "€"\n')
    edit(study, 'metrics = ["accuracy", "worst_group_accuracy", "flip_rate", "attribution_overlap"]\n', "")
    html, _ = explained(study)
    assert re.search(r"predicted <strong>[\d,]+ €</strong> · label <strong>[\d,]+ €</strong> · off by [\d,.]+ €", html)
    assert "Largest errors" in html and "raises the prediction" in html


def test_wrong_predictions_come_first_the_surest_of_them_before_the_others() -> None:
    logits = torch.tensor([[9.0, 0.0], [0.0, 1.0], [5.0, 0.0], [0.2, 0.0], [0.0, 3.0]], dtype=torch.float64)
    data = TensorData(torch.zeros(5, 1), torch.tensor([0, 0, 1, 0, 1]))
    wrong, unsure, *_ = instructive_rows(logits, data)
    assert (wrong.title, wrong.rows, wrong.num_rows) == (WRONG, (2, 1), 2)
    assert unsure.rows == (3, 4, 0)


def test_there_are_a_few_dozen_at_most_and_some_of_each_class() -> None:
    y = torch.arange(600) % 3
    logits = torch.nn.functional.one_hot(y.where(torch.arange(600) % 7 > 0, (y + 1) % 3), 3).double()
    found = instructive_rows(logits, TensorData(torch.zeros(600, 1), y))
    assert 24 <= sum(len(kind.rows) for kind in found) <= 36
    assert set(y[list(found[-1].rows)].tolist()) == {0, 1, 2}
    (last,) = instructive_rows(torch.zeros(3, 1).double(), TensorData(torch.zeros(3, 1), torch.ones(3), task="amounts"))
    assert sorted(last.rows) == [0, 1, 2]


def test_shards_take_no_single_files(tmp_path: Path) -> None:
    answer = corrigible("explain", tmp_path, "--all", "--file", "test/cat/1.png")
    assert answer.code == 2 and "leave out --all" in answer.stderr


def test_methods_whose_sign_speaks_for_nothing_are_methods() -> None:
    assert set(GRADIENTS) <= set(EXPLAINERS)
