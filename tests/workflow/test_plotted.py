"""What an evaluation keeps of its explanations, and what the report draws of it."""

import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from corrigible import workflow
from corrigible.data.dataset import TensorData
from corrigible.explanations.explaining import explain
from corrigible.recipe import load_data
from corrigible.study import Run, open_study, record_as_bytes
from corrigible.types import Columns
from corrigible.workflow import explained_features
from corrigible.workflow.explained_rows import MOST_IMAGES, MOST_NUMBERS, MOST_ROWS, explained_rows
from corrigible.workflow.making import load_model
from corrigible.workflow.plotted import explanation_plots
from studies import TABLE_RECIPE, table_study

OF_FEATURES = ["What if a feature had another value?", "Which features act together?"]
CURVES = ["Do the attributions name what matters?"]


@pytest.fixture(scope="module")
def _evaluated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluated(tmp_path_factory.mktemp("table"))


@pytest.fixture
def study(_evaluated_once: Path, tmp_path: Path) -> Path:
    """A tiny table study of its own: trained, corrected and evaluated."""
    return Path(shutil.copytree(_evaluated_once, tmp_path / "study"))


def evaluated(folder: Path, recipe: str = TABLE_RECIPE) -> Path:
    study = table_study(folder, recipe)
    list(workflow.train(study))
    list(workflow.add_feedback(study, features=("site",)))
    list(workflow.correct(study))
    list(workflow.evaluate(study))
    return study


def evaluation(study: Path) -> Run:
    return open_study(study).latest("evaluate")


def wrote_what_is_there(run: Run) -> None:
    """As if the run had written these files and no others."""
    files = {
        name: sha256((run.folder / name).read_bytes()).hexdigest()
        for name in run.record["files"]
        if (run.folder / name).exists()
    }
    (run.folder / "run.json").write_bytes(record_as_bytes({**run.record, "files": files}))


def titles(run: Run) -> list[str]:
    return [plots.title for plots in explanation_plots(run)]


def test_an_evaluation_keeps_what_both_models_say_of_the_second_class(study: Path) -> None:
    rows = load_file(evaluation(study).folder / "explained.safetensors")
    opened = open_study(study)
    data = load_data(opened.recipe, study, "test")
    assert torch.equal(rows["x"], data.x[rows["row"]])
    assert set(rows["target"].tolist()) == {1}
    for place, verb in enumerate(("train", "correct")):
        model = load_model(opened.latest(verb)).eval()
        settings = {"method": "integrated_gradients", "columns": data.columns, "steps": 8}
        assert torch.allclose(rows[f"attribution.{place}"], explain(model, rows["x"], 1, **settings), atol=1e-6)
        with torch.no_grad():
            assert torch.allclose(rows[f"score.{place}"], model(rows["x"])[:, 1], atol=1e-6)
            neutral = torch.zeros_like(rows["x"])
            for column, (feature, is_one_hot) in enumerate(
                zip(data.columns.feature, data.columns.one_hot, strict=True)
            ):
                neutral[:, column] = 1 / data.columns.feature.count(feature) if is_one_hot else 0
            assert torch.allclose(rows[f"baseline.{place}"], model(neutral)[:, 1], atol=1e-6)
    assert "attribution.2" not in rows


@pytest.mark.slow
def test_the_report_draws_it_and_is_the_same_each_time(study: Path) -> None:
    drawn = list(explanation_plots(evaluation(study)))
    assert [len(plots.figures) for plots in drawn] == [1, 2, 3, 1, 2]
    assert [plots.title for plots in drawn[-2:]] == OF_FEATURES
    assert "logit of class 1" in drawn[0].note
    written = []
    for _ in range(2):
        list(workflow.report(study))
        written.append((study / "report.html").read_bytes())
    assert written[0] == written[1]
    assert len(re.findall(rb'<img class="plot"', written[0])) == 9
    assert len(written[0]) < 500_000


def test_features_that_are_paired_as_one_group_have_no_place_of_their_own(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explained_features, "MOST_PAIRED", 1)
    list(workflow.evaluate(study))
    assert titles(evaluation(study))[-2:] == OF_FEATURES


def test_without_a_baseline_there_is_no_waterfall(tmp_path: Path) -> None:
    recipe = TABLE_RECIPE.replace('"integrated_gradients"\nsteps = 8', '"input_gradient"')
    assert titles(evaluation(evaluated(tmp_path, recipe))) == [
        "What each feature does, row by row",
        "How much each feature counts, by class",
        *OF_FEATURES,
    ]


def test_rows_that_are_not_finite_are_not_drawn(study: Path) -> None:
    run = evaluation(study)
    rows = load_file(run.folder / "explained.safetensors")
    rows["attribution.1"][3:] = torch.nan
    save_file(rows, run.folder / "explained.safetensors")
    assert "one of 3 rows" in next(explanation_plots(run)).note
    rows["attribution.0"][:] = torch.inf
    save_file(rows, run.folder / "explained.safetensors")
    assert titles(run) == OF_FEATURES


@pytest.mark.parametrize(("prefix", "left"), [("lines.1", OF_FEATURES[1:]), ("interactions.0", OF_FEATURES[:1])])
def test_features_whose_values_are_not_finite_are_not_drawn(study: Path, prefix: str, left: list[str]) -> None:
    file = evaluation(study).folder / "explained_features.safetensors"
    tensors = load_file(file)
    for name in tensors:
        if name.startswith(prefix):
            tensors[name].flatten()[0] = torch.nan
    save_file(tensors, file)
    assert titles(evaluation(study))[3:] == left


def test_an_evaluation_from_before_features_were_kept_is_drawn_without_them(study: Path) -> None:
    run = evaluation(study)
    for name in ("explained_features.safetensors", "explained_features.json"):
        (run.folder / name).unlink()
    assert len(titles(run)) == 3
    wrote_what_is_there(run)
    list(workflow.report(study))
    report = (study / "report.html").read_text()
    assert "From the baseline" in report
    assert OF_FEATURES[0] not in report


def test_an_evaluation_of_images_keeps_curves_of_rows_spread_over_the_data(finished: Path) -> None:
    run = evaluation(finished)
    rows = load_file(run.folder / "explained.safetensors")
    assert rows["row"].tolist() == list(range(24))
    assert "x" not in rows
    assert rows["deletion.0"].shape == rows["insertion.1"].shape == (24, 21)
    assert torch.allclose(rows["deletion.0"][:, 0], rows["insertion.0"][:, -1])
    assert "deletion.2" not in rows
    assert titles(run) == CURVES
    assert "mean over 24 rows" in next(explanation_plots(run)).note


def test_an_evaluation_of_images_that_kept_curves_beside_the_drawn_rows_is_drawn(finished: Path) -> None:
    run = evaluation(finished)
    explained = load_file(run.folder / "explained.safetensors")
    curves = {name: value[:8] for name, value in explained.items() if "deletion" in name or "insertion" in name}
    save_file(load_file(run.folder / "rows.safetensors") | curves, run.folder / "rows.safetensors")
    (run.folder / "explained.safetensors").unlink()
    assert titles(run) == CURVES
    assert "mean over 8 rows" in next(explanation_plots(run)).note
    wrote_what_is_there(run)
    list(workflow.report(finished))
    assert CURVES[0] in (finished / "report.html").read_text()


def test_curves_that_are_not_finite_are_not_drawn(finished: Path) -> None:
    run = evaluation(finished)
    rows = load_file(run.folder / "explained.safetensors")
    rows["insertion.1"][0, 3] = torch.nan
    save_file(rows, run.folder / "explained.safetensors")
    assert titles(run) == []


@pytest.mark.parametrize(("num_columns", "expected"), [(3, MOST_ROWS), (MOST_NUMBERS // 10, 10)])
def test_what_is_kept_is_bounded(num_columns: int, expected: int) -> None:
    names = tuple(map(str, range(num_columns)))
    columns = Columns(names, names, (False,) * num_columns)
    data = TensorData(torch.zeros(MOST_ROWS + 1, num_columns), torch.arange(MOST_ROWS + 1) % 3, columns=columns)
    rows = explained_rows(data)
    assert len(rows["row"]) == expected
    assert rows["row"][[0, -1]].tolist() == [0, MOST_ROWS]
    assert torch.equal(rows["target"], data.y[rows["row"]])


def test_of_images_as_many_are_explained_as_take_a_moment() -> None:
    rows = explained_rows(TensorData(torch.zeros(MOST_IMAGES + 9, 1, 2, 2), torch.arange(MOST_IMAGES + 9) % 2))
    assert len(rows["row"]) == MOST_IMAGES
    assert torch.equal(rows["target"], rows["y"])
