"""Studies so small that every verb takes a moment, and the command line as a test calls it."""

import json
import re
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner

from corrigible.cli import main
from corrigible.trusted_code import own

IMAGE_RECIPE = """
format = 1
title = "Tiny images"
seed = 3
validation_split = "validation"
[data]
kind = "image"
[model]
name = "mlp"
hidden = [8]
[train]
epochs = 2
batch_size = 16
[correct]
epochs = 2
batch_size = 16
learning_rate = 0.00001  # All models stay alike, so that no verdict rests on the luck of a few rows.
[[penalty]]
name = "right_reasons"
weight = "auto"
[[baseline]]
name = "fine_tuned"
[[baseline]]
name = "masked_inputs"
[explain]
method = "input_gradient"
[evaluate]
metrics = ["accuracy", "class_accuracy", "flip_rate", "attribution_overlap"]
num_donors = 5
num_resamples = 20
"""
TABLE_RECIPE = """
format = 1
title = "Tiny table"
[data]
kind = "table"
target = "label"
group = "sex"
[model]
name = "table_mlp"
hidden = [8]
[train]
epochs = 1
batch_size = 32
[correct]
epochs = 1
[[penalty]]
name = "right_reasons"
weight = 10.0
[[baseline]]
name = "retrained"
split = "validation"
[explain]
method = "integrated_gradients"
steps = 8
[evaluate]
metrics = ["accuracy", "worst_group_accuracy", "flip_rate", "attribution_overlap"]
num_donors = 5
num_resamples = 20
"""
TEXT_RECIPE = """
format = 1
title = "Tiny texts"
validation_split = "validation"
[data]
kind = "text"
max_tokens = 8
dimension = 12
[model]
name = "text_bag"
hidden = [8]
[train]
epochs = 2
batch_size = 16
[correct]
epochs = 2
batch_size = 16
[[penalty]]
name = "right_reasons"
weight = 10.0
[[baseline]]
name = "fine_tuned"
[explain]
method = "integrated_gradients"
steps = 8
[evaluate]
metrics = ["accuracy", "class_accuracy", "flip_rate", "attribution_overlap"]
num_donors = 5
num_resamples = 20
"""
STDERR_APART: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
"""Which click 8.2 and later does anyway."""
SIZES = {"train": 60, "validation": 18, "test": 24}


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]


def corrigible(*arguments: object) -> Answer:
    """Run the command line in this process; an error that no user can fix is raised."""
    result = CliRunner(**STDERR_APART).invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


def refused(*arguments: object) -> str:
    """The one line with which a command ends that the user can put right."""
    answer = corrigible(*arguments)
    assert answer.code == 1, answer
    assert re.fullmatch(r"error: [^\n]+\n", answer.stderr), answer.stderr
    return answer.stderr.removeprefix("error: ").strip()


def image_study(folder: Path, recipe: str = IMAGE_RECIPE) -> Path:
    """Three classes of noise, each with its shade of grey in the upper left corner."""
    rng = np.random.default_rng(0)
    for split, num_rows in SIZES.items():
        y = np.arange(num_rows) % 3
        x = rng.random((num_rows, 8, 8), dtype=np.float32)
        x[:, :2, :2] = y[:, None, None] / 2
        save_images(folder, split, x, y)
    (folder / "recipe.toml").write_text(recipe)
    own(folder)
    return folder


def save_images(folder: Path, split: str, x: Any, y: Any) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    np.savez(folder / "data" / f"{split}.npz", x=x, y=y)


def table_study(folder: Path, recipe: str = TABLE_RECIPE) -> Path:
    """Two classes that ``site`` gives away."""
    rng = np.random.default_rng(0)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, num_rows in SIZES.items():
        label = np.arange(num_rows) % 2
        site, sex = np.where(label, "north", "south"), np.where(np.arange(num_rows) % 3, "f", "m")
        columns = {"age": rng.normal(50, 9, num_rows).round(1), "site": site, "sex": sex, "label": label}
        pd.DataFrame(columns).to_csv(folder / "data" / f"{split}.csv", index=False)
    (folder / "recipe.toml").write_text(recipe)
    own(folder)
    return folder


def text_study(folder: Path, recipe: str = TEXT_RECIPE) -> Path:
    """Two classes of short texts, with a word before the last that gives the class away."""
    rng = np.random.default_rng(0)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, num_rows in SIZES.items():
        label = np.arange(num_rows) % 2
        things, verdicts = rng.choice(["film", "meal", "book"], num_rows), np.where(label, "good", "bad")
        texts = [f"The {a} was {b}, zeb{c}." for a, b, c in zip(things, verdicts, label, strict=True)]
        named = pd.DataFrame({"text": texts, "label": np.where(label, "praise", "blame")})
        named.to_csv(folder / "data" / f"{split}.csv", index=False)
    (folder / "recipe.toml").write_text(recipe)
    own(folder)
    return folder


def edit(folder: Path, old: str, new: str) -> None:
    """Change the study's recipe."""
    path = folder / "recipe.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def finish(folder: Path) -> Path:
    """Every verb up to the evaluation, with feedback on the corner of every row."""
    corrigible("train", folder)
    corrigible("feedback", "add", folder, "--box", 0, 0, 2, 2)
    corrigible("correct", folder)
    assert corrigible("evaluate", folder).code == 0
    return folder
