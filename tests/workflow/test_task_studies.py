"""Studies of labels that are no classes: every verb works, and the report speaks of amounts, counts and labels."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from corrigible.trusted_code import own
from studies import Answer, corrigible, refused

RECIPE = """
format = 1
title = "Tiny {name}"
validation_split = "validation"
[data]
kind = "table"
{data}
[task]
name = "{name}"
{task}
[model]
name = "table_mlp"
hidden = [12]
dropout = 0.0
[train]
epochs = 25
batch_size = 32
learning_rate = 0.003
[correct]
epochs = 6
batch_size = 32
[[baseline]]
name = "fine_tuned"
[explain]
method = "integrated_gradients"
steps = 32
[evaluate]
num_donors = 4
num_resamples = 10
"""
SIZES = {"train": 160, "validation": 60, "test": 60}
Table = dict[str, Any]
Done = Callable[[str], tuple[Path, dict[str, Answer]]]
Labels = Callable[[np.random.Generator, np.ndarray, np.ndarray], Table]


def price(rng: np.random.Generator, size: np.ndarray, agent: np.ndarray) -> Table:
    return {"price": (12_000 + 1_500 * size + 2_500 * agent + rng.normal(0, 300, len(size))).round()}


def claims(rng: np.random.Generator, size: np.ndarray, agent: np.ndarray) -> Table:
    years = rng.uniform(0.2, 1.0, len(size)).round(2)
    return {"years": years, "claims": rng.poisson(years * np.exp(0.3 + 0.5 * size + 0.8 * agent))}


def costs(rng: np.random.Generator, size: np.ndarray, agent: np.ndarray) -> Table:
    found = claims(rng, size, agent)
    return {"years": found["years"], "costs": (found["claims"] * rng.gamma(2.0, 400.0, len(size))).round(2)}


def several(rng: np.random.Generator, size: np.ndarray, agent: np.ndarray) -> Table:
    noise = rng.normal(0, 0.3, (2, len(size)))
    return {"loud": (size + agent + noise[0] > 0.8).astype(int), "late": (agent - size + noise[1] > 0.5).astype(int)}


def grades(rng: np.random.Generator, size: np.ndarray, agent: np.ndarray) -> Table:
    return {"grade": np.clip(np.round(1 + size / 2 + agent + rng.normal(0, 0.2, len(size))), 0, 3).astype(int)}


def ranked(rng: np.random.Generator, size: np.ndarray, agent: np.ndarray) -> Table:
    return {"search": np.arange(len(size)) // 10, "clicks": np.round(10 + 3 * size + 4 * agent)}


CASES: dict[str, tuple[str, str, str, Labels]] = {
    "amounts": ("amounts", 'target = "price"', 'unit = "€"', price),
    "spread": ("amounts", 'target = "price"', "heteroscedastic = true", price),
    "counts": ("counts", 'target = "claims"\nexposure = "years"', "", claims),
    "costs": ("positive_amounts", 'target = "costs"\nexposure = "years"', 'unit = "€"\npower = 1.5', costs),
    "quantiles": ("quantiles", 'target = "price"', 'unit = "€"\nlevels = [0.1, 0.5, 0.9]', price),
    "several_labels": ("several_labels", 'target = ["loud", "late"]', "", several),
    "ordered_classes": ("ordered_classes", 'target = "grade"', "", grades),
    "ranking": ("ranking", 'target = "clicks"\nquery = "search"', "", ranked),
}

QUICK = ("amounts",)


def study(folder: Path, case: str) -> Path:
    """Rows whose label depends on ``size`` and, by a rule that must not be used, on ``agent``."""
    name, data, task, labels = CASES[case]
    rng = np.random.default_rng(0)
    (folder / "data").mkdir(parents=True)
    for split, num_rows in SIZES.items():
        size, agent = rng.normal(0, 1, num_rows).round(2), rng.integers(0, 2, num_rows)
        columns = {
            "size": size,
            "agent": np.where(agent, "north", "south"),
            "noise": rng.normal(0, 1, num_rows).round(2),
        }
        table = pd.DataFrame({**columns, **labels(rng, size, agent)})
        table.to_csv(folder / "data" / f"{split}.csv", index=False)
    (folder / "recipe.toml").write_text(RECIPE.format(name=name, data=data, task=task), encoding="utf-8")
    return folder


def report_text(folder: Path) -> str:
    """What a reader of the report sees, without its pictures and its recipe."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"<(style|svg|pre)\b.*?</\1>", " ", page, flags=re.S)
    described = " ".join(re.findall(r'alt="([^"]*)"', page))
    return " ".join(re.sub(r"<[^>]+>", " ", page).split()) + described


@pytest.fixture(scope="module")
def after_every_verb(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """-> the study of a case after every verb, and what each of them answered."""

    @cache
    def done(case: str) -> tuple[Path, dict[str, Answer]]:
        folder = study(tmp_path_factory.mktemp(case) / "study", case)
        answers = {"train": corrigible("train", folder, "--json")}
        answers["feedback"] = corrigible("feedback", "add", folder, "--feature", "agent")
        answers["explain"] = corrigible("explain", folder)
        for verb in ("correct", "evaluate"):
            answers[verb] = corrigible(verb, folder, "--json")
        for command in (["report"], ["seal", "--anyway"], ["verify"], ["suspect"], ["explain", "--all"]):
            answers[" ".join(command)] = corrigible(command[0], folder, *command[1:])
        return folder, answers

    return done


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_every_verb_works_for_labels_of_every_task(after_every_verb: Done, case: str) -> None:
    folder, answers = after_every_verb(case)
    epochs = [record for record in answers["train"].records if record["record"] == "Epoch"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert any(record["record"] == "Verdict" for record in answers["correct"].records)
    measured = {record["metric"] for record in answers["evaluate"].records if record["record"] == "Measured"}
    assert "mean_shift" in measured and "flip_rate" not in measured
    for command, answer in answers.items():
        assert answer.code == 0 or command == "correct", (command, answer.stderr)
    text = report_text(folder)
    assert not re.search(r"\bnan\b", text)
    if case != "ordered_classes":
        assert "class" not in text


def test_a_report_on_prices_is_in_their_unit(after_every_verb: Done) -> None:
    folder, _ = after_every_verb("amounts")
    text = report_text(folder)
    assert re.search(r"now moves the prediction by [\d,.]+ €; before, by [\d,]+ €\.", text)
    assert "Predictions against labels" in text and "Mean absolute error" in text
    assert "mean absolute error (€)" in text and re.search(r"Mean absolute error rose from [\d,.]+ € to", text)
    assert "Which classes are confused" not in text and "predicted right" not in text


def test_methods_are_compared_by_the_metrics_of_the_task(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", "amounts")
    corrigible("train", folder)
    corrigible("feedback", "add", folder, "--feature", "agent")
    answer = corrigible("compare", folder, "--method", "transplant", "--json")
    assert answer.code == 0, answer.stderr
    compared = [record for record in answer.records if record["record"] == "MethodCompared"]
    assert len(compared) == 2 and all("r2" in record["measured"] for record in compared)
    assert "accuracy" not in re.sub(r"<[^>]+>", " ", (folder / "comparison.html").read_text()).split("How to read")[0]


def test_feedback_on_a_class_of_amounts_is_refused(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", "amounts")
    said = refused("feedback", "add", folder, "--feature", "agent", "--label", "12000")
    assert "the task 'amounts' are no classes" in said


SOURCE = """
import torch
from corrigible.data.dataset import TensorData


def load(split):
    generator = torch.Generator().manual_seed(len(split))
    x = torch.rand(60, 1, 8, 8, generator=generator)
    y = 5_000 + 900 * x[:, 0, :2, :2].sum(dim=(1, 2)) + 100 * x[:, 0, 5, 5]
    return TensorData(x, y, task={"name": "amounts", "unit": "€"})
"""
IMAGE_RECIPE = """
format = 1
title = "Prices of pictures"
[data]
kind = "image"
source = "prices_of_pictures:load"
[model]
name = "mlp"
hidden = [8]
[train]
epochs = 8
[correct]
epochs = 2
[evaluate]
num_donors = 3
num_resamples = 5
"""


@pytest.mark.slow
def test_images_of_amounts_come_from_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "prices_of_pictures.py").write_text(SOURCE, encoding="utf-8")
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "recipe.toml").write_text(IMAGE_RECIPE, encoding="utf-8")
    own(folder)
    assert corrigible("train", folder).code == 0
    assert corrigible("feedback", "add", folder, "--box", 0, 0, 2, 2, "--row", 1).code == 0
    corrigible("correct", folder)
    for command in (["evaluate"], ["report"], ["explain"], ["seal", "--anyway"], ["verify"]):
        assert corrigible(command[0], folder, *command[1:]).code == 0, command
    text = report_text(folder)
    assert re.search(r"Row \d+ of \w+ · [^·]*(· )?label [^·]* €", text) and "(wrong)" not in text
    assert not re.search(r"\bnan\b", text)
    assert "class" not in text


def test_a_model_of_another_task_is_not_read_by_the_recipes(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", "amounts")
    assert corrigible("train", folder).code == 0
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text("utf-8").replace('name = "amounts"', 'name = "positive_amounts"'), "utf-8")
    for verb in ("explain", "suspect", "evaluate"):
        assert "its outputs mean something else; train again" in refused(verb, folder)
