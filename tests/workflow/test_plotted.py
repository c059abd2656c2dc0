"""What an evaluation keeps of its explanations, and what the report draws of it."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from corrigible import workflow
from corrigible.data.dataset import TensorData
from corrigible.explanations.explaining import explain
from corrigible.recipe import load_data
from corrigible.study import Run, open_study
from corrigible.types import Columns
from corrigible.workflow.explained_rows import MOST_NUMBERS, MOST_ROWS, explained_rows
from corrigible.workflow.model_runs import load_model
from corrigible.workflow.plotted import explanation_plots
from studies import TABLE_RECIPE, table_study


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
            assert torch.allclose(rows[f"baseline.{place}"], model(torch.zeros_like(rows["x"]))[:, 1], atol=1e-6)
    assert "attribution.2" not in rows


def test_the_report_draws_it_and_is_the_same_each_time(study: Path) -> None:
    swarm, by_class, waterfalls = explanation_plots(evaluation(study))
    assert [len(plots.figures) for plots in (swarm, by_class, waterfalls)] == [1, 2, 6]
    assert "score of class 1" in swarm.note
    written = []
    for _ in range(2):
        list(workflow.report(study))
        written.append((study / "report.html").read_bytes())
    assert written[0] == written[1]
    assert len(re.findall(rb'<img class="plot"', written[0])) == 9
    assert len(written[0]) < 500_000


def test_without_a_baseline_there_is_no_waterfall(tmp_path: Path) -> None:
    recipe = TABLE_RECIPE.replace('"integrated_gradients"\nsteps = 8', '"input_gradient"')
    assert titles(evaluation(evaluated(tmp_path, recipe))) == [
        "What each feature does, row by row",
        "How much each feature counts, by class",
    ]


def test_rows_that_are_not_finite_are_not_drawn(study: Path) -> None:
    run = evaluation(study)
    rows = load_file(run.folder / "explained.safetensors")
    rows["attribution.1"][3:] = torch.nan
    save_file(rows, run.folder / "explained.safetensors")
    assert "one of 3 rows" in next(explanation_plots(run)).note
    rows["attribution.0"][:] = torch.inf
    save_file(rows, run.folder / "explained.safetensors")
    assert titles(run) == []


def test_an_evaluation_of_images_keeps_curves_of_the_drawn_rows(finished: Path) -> None:
    run = evaluation(finished)
    rows = load_file(run.folder / "rows.safetensors")
    assert rows["deletion.0"].shape == rows["insertion.1"].shape == (8, 21)
    assert torch.allclose(rows["deletion.0"][:, 0], rows["insertion.0"][:, -1])
    assert titles(run) == ["Do the maps name what matters?"]


@pytest.mark.parametrize(("num_columns", "expected"), [(3, MOST_ROWS), (MOST_NUMBERS // 10, 10)])
def test_what_is_kept_is_bounded(num_columns: int, expected: int) -> None:
    names = tuple(map(str, range(num_columns)))
    columns = Columns(names, names, (False,) * num_columns)
    data = TensorData(torch.zeros(MOST_ROWS + 1, num_columns), torch.arange(MOST_ROWS + 1) % 3, columns=columns)
    rows = explained_rows(data)
    assert len(rows["row"]) == expected
    assert rows["row"][[0, -1]].tolist() == [0, MOST_ROWS]
    assert torch.equal(rows["target"], data.y[rows["row"]])
