"""What an evaluation keeps of how sure its models are, and what the report draws of it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from corrigible import workflow
from corrigible.data.dataset import all_labels
from corrigible.figures import number
from corrigible.metrics import expected_calibration_error
from corrigible.observations import Observations
from corrigible.plots import description
from corrigible.recipe import load_data
from corrigible.study import open_study
from corrigible.tasks import TASKS
from corrigible.workflow.making import load_model
from corrigible.workflow.plotted_certainty import CERTAINTY_FILE, certainty_of, certainty_plots
from studies import table_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = table_study(tmp_path_factory.mktemp("certain"))
    list(workflow.train(found))
    list(workflow.add_feedback(found, features=("site",)))
    list(workflow.correct(found))
    list(workflow.evaluate(found))
    return found


def test_the_confidence_of_every_row_is_kept_and_drawn_before_and_after(study: Path) -> None:
    opened = open_study(study)
    run, data = opened.latest("evaluate"), load_data(opened.recipe, study, "test")
    rows, y = load_file(run.folder / CERTAINTY_FILE), all_labels(data)
    (plots,) = certainty_plots(run, run.read("evaluation.json"))
    diagram, curve = plots.figures
    assert f"{len(data):,} rows" in plots.note
    for place, verb in enumerate(("train", "correct")):
        with torch.no_grad():
            probs = load_model(opened.latest(verb)).eval()(data.x).softmax(dim=1).double()
        assert torch.allclose(rows[f"confidence.{place}"], probs.amax(dim=1), atol=1e-6)
        assert torch.equal(rows[f"is_right.{place}"], (probs.argmax(dim=1) == y).double())
        assert number(expected_calibration_error(probs, y).item()) in description(diagram)
    assert "wrong predictions among the surest rows" in description(curve)


def test_the_report_shows_it(study: Path) -> None:
    list(workflow.report(study))
    html = (study / "report.html").read_text(encoding="utf-8")
    assert "How sure the models are" in html
    assert "Is the model as sure as it is right?" in html


def test_of_ordered_classes_the_predicted_one_counts_which_is_the_median() -> None:
    task = TASKS["ordered_classes"](torch.arange(3))
    probs = torch.tensor([[0.4, 0.25, 0.35], [0.1, 0.2, 0.7]])
    rows = {"probs": probs, "predicted": torch.tensor([1, 2]), "y": torch.tensor([1, 0])}
    found = certainty_of(Observations(rows, torch.empty(0, dtype=torch.long), {}, task=task), task, 0)
    assert found["confidence.0"].tolist() == pytest.approx([0.25, 0.7])
    assert found["is_right.0"].tolist() == [1, 0]


def test_labels_that_are_not_classes_leave_nothing(study: Path) -> None:
    amounts = TASKS["amounts"](torch.arange(4.0))
    assert certainty_of(Observations({}, torch.empty(0, dtype=torch.long), {}, task=amounts), amounts, 0) == {}
