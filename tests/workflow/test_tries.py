"""Options that stand in place of the recipe for one try, and are recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from corrigible.workflow.reproducing import AGAIN
from studies import Answer, corrigible, edit, image_study, refused


@pytest.fixture
def study(tmp_path: Path) -> Path:
    image_study(tmp_path)
    assert corrigible("train", tmp_path, "--epochs", 1).code == 0
    corrigible("feedback", "add", tmp_path, "--box", 0, 0, 2, 2)
    return tmp_path


def record(study: Path, run: str) -> dict[str, Any]:
    return json.loads((study / "runs" / run / "run.json").read_text())


def kinds(answer: Answer, kind: str) -> list[dict[str, Any]]:
    return [found for found in answer.records if found["record"] == kind]


def test_the_run_does_and_records_what_was_asked_for(study: Path) -> None:
    assert record(study, "0001-train")["options"] == {"epochs": 1}
    asked = ("--epochs", 3, "--penalty", "gradient_size", "--weight", 0.5, "--only", "fine_tuned")
    answer = corrigible("correct", study, *asked, "--json")
    (ahead,) = kinds(answer, "Ahead")
    assert (ahead["runs"], ahead["epochs"]) == (["corrected", "fine tuned"], [3, 3])
    epochs = kinds(answer, "Epoch")
    assert len(epochs) == 6 and list(epochs[0]["penalties"]) == ["gradient_size"]
    assert not kinds(answer, "WeightTrial")
    options = {"epochs": 3, "penalty": "gradient_size", "weight": 0.5, "only": ["fine_tuned"]}
    made = record(study, "0002-correct")
    assert made["options"] == options == record(study, "0003-baseline")["options"]
    assert made["recipe"] == (study / "recipe.toml").read_text()


def test_the_report_and_the_sealed_copy_say_how_to_repeat_it(study: Path) -> None:
    corrigible("correct", study, "--epochs", 1, "--penalty", "transplant", "--only", "none")
    before = (study / "runs" / "0002-correct" / "weights.safetensors").read_bytes()
    assert corrigible("evaluate", study).code == corrigible("report", study).code == 0
    page = (study / "report.html").read_text()
    repeated = f"corrigible correct {AGAIN} --epochs 1 --penalty transplant --only none"
    assert f"corrigible train {AGAIN} --epochs 1" in page and repeated in page
    corrigible("seal", study, "--name", "one", "--anyway")
    assert json.loads((study / "sealed" / "one" / "run.json").read_text())["options"]["penalty"] == "transplant"
    corrigible("correct", study, *repeated.split()[3:])
    (again,) = [path for path in (study / "runs").glob("*-correct") if path.name != "0002-correct"]
    assert (again / "weights.safetensors").read_bytes() == before


def test_a_baseline_is_trained_for_as_long_as_both_trainings_were(study: Path) -> None:
    answer = corrigible("correct", study, "--epochs", 3, "--penalty", "transplant", "--only", "masked_inputs", "--json")
    assert kinds(answer, "Ahead")[0]["epochs"] == [3, 1 + 3]
    assert [epoch["num_epochs"] for epoch in kinds(answer, "Epoch")][-1] == 4


def test_a_weight_alone_is_that_of_the_only_penalty(study: Path) -> None:
    answer = corrigible("correct", study, "--weight", 7, "--only", "none", "--json")
    assert not kinds(answer, "WeightTrial") and "right_reasons" in kinds(answer, "Epoch")[0]["penalties"]
    text = (study / "recipe.toml").read_text()
    edit(study, '[[penalty]]\nname = "right_reasons"\nweight = "auto"\n', "")
    assert "--weight without --penalty" in refused("correct", study, "--weight", 7)
    (study / "recipe.toml").write_text(text)
    assert "has no weight" in refused("correct", study, "--penalty", "transplant", "--weight", 7)
    assert "did you mean 'right_reasons'" in refused("correct", study, "--penalty", "right_reason")
    assert "unknown baseline of this recipe 'tuned'" in refused("correct", study, "--only", "tuned")


@pytest.mark.slow
def test_a_try_of_a_comparison_is_not_taken_for_another(study: Path) -> None:
    runs = [
        kinds(corrigible("compare", study, *more, "--json"), "Ahead")[0]["epochs"] for more in [("--epochs", 1)] * 2
    ]
    assert runs == [[1, 1], []]
    assert kinds(corrigible("compare", study, "--json"), "Ahead")[0]["epochs"] == [2, 2]
