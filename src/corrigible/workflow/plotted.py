"""Plots of the explanations of an evaluation, for the report."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from corrigible.plots.beeswarm import beeswarm
from corrigible.plots.deletion_insertion import deletion_insertion_curves
from corrigible.plots.mean_bars import mean_bars
from corrigible.plots.waterfall import waterfall
from corrigible.reporting import Plots
from corrigible.study import Run
from corrigible.types import Columns
from corrigible.workflow.explained_features import kept_features
from corrigible.workflow.explained_rows import COLUMNS_FILE, ROWS_FILE
from corrigible.workflow.explained_words import WORDS_FILE
from corrigible.workflow.plotted_features import feature_plots
from corrigible.workflow.plotted_words import word_plots
from corrigible.workflow.task_words import TaskWords, words_in

MOST_CLASSES = 4
"""With more classes, none has bars of its own."""
NUM_WATERFALLS = 3


def explanation_plots(evaluation: Run) -> Iterator[Plots]:
    """The plots of an evaluation's explanations; none if too few values are finite."""
    results = evaluation.read("evaluation.json")
    names = [model["name"] for model in results["models"]]
    # Older evaluations of images kept the curves with the drawn rows.
    file = ROWS_FILE if (evaluation.folder / ROWS_FILE).exists() else "rows.safetensors"
    rows, words = load_file(evaluation.folder / file), words_in(results)
    if not (evaluation.folder / COLUMNS_FILE).exists():
        if (evaluation.folder / WORDS_FILE).exists():
            drawn = load_file(evaluation.folder / "rows.safetensors")
            yield from word_plots(drawn, evaluation.read(WORDS_FILE), names, results)
        yield from _of_images(rows, names, words)
        return
    columns = Columns(*(tuple(part) for part in evaluation.read(COLUMNS_FILE).values()))
    yield from _of_table(rows, names, columns, results)
    features = kept_features(evaluation)
    if features is not None:
        yield from feature_plots(features, names, results["class_names"], words)


def _of_images(rows: Mapping[str, Tensor], names: Sequence[str], words: TaskWords) -> Iterator[Plots]:
    deletion, insertion = (
        {name: rows[f"{kind}.{k}"] for k, name in enumerate(names) if f"{kind}.{k}" in rows}
        for kind in ("deletion", "insertion")
    )
    if deletion and all(bool(curves.isfinite().all()) for curves in [*deletion.values(), *insertion.values()]):
        label = "probability of the label" if words.name == "classes" else words.value(0, ())
        figure = deletion_insertion_curves(deletion, insertion, label=label)
        note = (
            f"The mean over {len(rows['row'])} rows spread over the data, as inputs give way to the baseline, the most "
            "attributed first, or are put back in that order. Where the maps name what a model goes by, the first "
            "curve falls early and the second rises early."
        )
        yield Plots("Do the maps name what matters?", note, (figure,))


def _of_table(
    rows: Mapping[str, Tensor], names: Sequence[str], columns: Columns, results: Mapping[str, Any]
) -> Iterator[Plots]:
    is_finite = torch.stack([rows[name].isfinite().all(dim=1) for name in rows if "attribution" in name]).all(dim=0)
    rows = {name: value[is_finite] for name, value in rows.items()}
    if not len(rows["x"]):
        return
    words, labels = words_in(results), results.get("explained_labels", [])
    labels = [label for label, is_kept in zip(labels, is_finite.tolist(), strict=True) if is_kept] if labels else []
    models = {name: rows[f"attribution.{k}"] for k, name in enumerate(names) if f"attribution.{k}" in rows}
    has_scores = all(f"score.{k}" in rows for k in range(len(models)))
    if words.name != "classes":
        yield _beeswarm(models, rows, columns, words.score, "raises it")
        if has_scores:
            yield _waterfalls(models, rows, columns, labels, [words.score] * len(labels))
        return
    class_names = results["class_names"]
    classes = list(class_names) or [str(k) for k in range(int(torch.maximum(rows["y"], rows["target"]).max()) + 1)]
    targets = [f"score of class {classes[target]}" for target in rows["target"].tolist()]
    whose = f"class {classes[int(rows['target'][0])]}" if len(set(targets)) == 1 else "the label"
    yield _beeswarm(models, rows, columns, f"score of {whose}", f"speaks for {whose}")
    if len(classes) <= MOST_CLASSES:
        yield _bars_by_class(models, rows["y"], classes, columns)
    if has_scores:
        yield _waterfalls(models, rows, columns, [classes[label] for label in rows["y"].tolist()], targets)


def _beeswarm(
    models: Mapping[str, Tensor], rows: Mapping[str, Tensor], columns: Columns, explained: str, does: str
) -> Plots:
    label = f"attribution: right of 0 {does}"
    figure = beeswarm(models, rows["x"], columns, max_features=12, label=label)
    note = f"Explained is the {explained}. Each point is one of {len(rows['x'])} rows spread over the data."
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
    models: Mapping[str, Tensor],
    rows: Mapping[str, Tensor],
    columns: Columns,
    labels: Sequence[str],
    explained: Sequence[str],
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
            title=f"Row {int(rows['row'][at])}, label {labels[at]}: {name}",
            label=explained[at],
        )
        for at in chosen
        for place, (name, attribution) in enumerate(models.items())
    ]
    note = "A few rows, feature by feature; numbers are in standard deviations from the mean, as the model sees them."
    return Plots("From the baseline's score to the row's", note, tuple(figures))
