"""Plots of what an evaluation explained of a table, for the report."""

from collections.abc import Iterator, Mapping

import torch
from safetensors.torch import load_file
from torch import Tensor

from corrigible.plots.beeswarm import beeswarm
from corrigible.plots.mean_bars import mean_bars
from corrigible.plots.waterfall import waterfall
from corrigible.reporting import Plots
from corrigible.study import Run
from corrigible.types import Columns
from corrigible.workflow.explained_rows import COLUMNS_FILE, ROWS_FILE

MOST_CLASSES = 4
"""With more classes, none has bars of its own."""
NUM_WATERFALLS = 3


def explanation_plots(evaluation: Run) -> Iterator[Plots]:
    """The plots of what an evaluation explained; none for images, or where too few values are finite."""
    if not (evaluation.folder / ROWS_FILE).exists():
        return
    rows = load_file(evaluation.folder / ROWS_FILE)
    names = [name for name in rows if name.startswith("attribution.")]
    is_finite = torch.stack([rows[name].isfinite().all(dim=1) for name in names]).all(dim=0)
    rows = {name: value[is_finite] for name, value in rows.items()}
    if not len(rows["x"]):
        return
    columns = Columns(*(tuple(part) for part in evaluation.read(COLUMNS_FILE).values()))
    results = evaluation.read("evaluation.json")
    classes = results["class_names"] or [
        str(label) for label in range(int(torch.maximum(rows["y"], rows["target"]).max()) + 1)
    ]
    models = {model["name"]: rows[name] for name, model in zip(sorted(names), results["models"], strict=False)}
    yield _beeswarm(models, rows, columns, classes)
    if len(classes) <= MOST_CLASSES:
        yield _bars_by_class(models, rows["y"], classes, columns)
    if all(f"score.{place}" in rows for place in range(len(models))):
        yield _waterfalls(models, rows, columns, classes)


def _beeswarm(models: Mapping[str, Tensor], rows: Mapping[str, Tensor], columns: Columns, classes: list[str]) -> Plots:
    targets = rows["target"].tolist()
    is_one_class = len(set(targets)) == 1
    label = f"attribution: right of 0 speaks for {classes[targets[0]] if is_one_class else 'the label'}"
    figure = beeswarm(models, rows["x"], columns, max_features=12, label=label)
    whose = f"of {classes[targets[0]]}" if is_one_class else "of each row's label"
    note = f"Explained is the score {whose}. Each point is one of {len(targets)} rows spread over the data."
    return Plots("What each feature does, row by row", note, (figure,))


def _bars_by_class(models: Mapping[str, Tensor], y: Tensor, classes: list[str], columns: Columns) -> Plots:
    figures = [
        mean_bars(
            {name: found[y == k] for name, found in models.items()},
            columns,
            max_features=10,
            title=f"Rows of class {classes[k]}",
        )
        for k in sorted(set(y.tolist()))
    ]
    note = "Mean absolute attribution over the rows of each class, with 95 % intervals."
    return Plots("How much each feature counts, by class", note, tuple(figures))


def _waterfalls(
    models: Mapping[str, Tensor], rows: Mapping[str, Tensor], columns: Columns, classes: list[str]
) -> Plots:
    chosen = torch.linspace(0, len(rows["x"]) - 1, min(NUM_WATERFALLS, len(rows["x"]))).round().long().tolist()
    figures = [
        waterfall(
            attribution[at],
            columns,
            baseline=float(rows[f"baseline.{place}"][at]),
            score=float(rows[f"score.{place}"][at]),
            x=rows["x"][at],
            max_features=8,
            title=f"Row {int(rows['row'][at])}, label {classes[int(rows['y'][at])]}: {name}",
            label=f"score of {classes[int(rows['target'][at])]}",
        )
        for at in chosen
        for place, (name, attribution) in enumerate(models.items())
    ]
    note = "A few rows, feature by feature; numbers are in standard deviations from the mean, as the model sees them."
    return Plots("From the baseline's score to the row's", note, tuple(figures))
