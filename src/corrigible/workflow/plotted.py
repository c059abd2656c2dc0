"""Plots of the explanations of an evaluation, for the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from corrigible.data.shown_names import Labels, columns_in_words
from corrigible.plots.beeswarm import beeswarm
from corrigible.plots.deletion_insertion import deletion_insertion_curves, is_better_than_random
from corrigible.plots.features import signed_by_feature
from corrigible.plots.mean_bars import mean_bars
from corrigible.plots.style import spoken_method
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
NUM_WATERFALLS, MOST_MOVED = 3, 2
"""Rows that are shown feature by feature, and how many of them are rows whose prediction changed."""


def explanation_plots(
    evaluation: Run, labels: Labels | None = None, results: Mapping[str, Any] | None = None
) -> Iterator[Plots]:
    """The plots of an evaluation's explanations; none if too few values are finite.

    Args:
        labels: the words for columns and categories, in place of their names.
        results: those of the evaluation, in words; None for the evaluation's own.
    """
    results = evaluation.read("evaluation.json") if results is None else results
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
    columns = columns_in_words(columns, labels or {})
    order: tuple[str, ...] = ()
    table = _table(rows, names, columns, results)
    if table is not None:
        order = table.order
        yield from _of_table(table)
    features = kept_features(evaluation, labels or {})
    if features is not None:
        yield from feature_plots(features, names, results["class_names"], words, order)


def _of_images(rows: Mapping[str, Tensor], names: Sequence[str], words: TaskWords) -> Iterator[Plots]:
    deletion, insertion, *by_chance = (
        {name: rows[f"{kind}.{k}"] for k, name in enumerate(names) if f"{kind}.{k}" in rows}
        for kind in ("deletion", "insertion", "random_deletion", "random_insertion")
    )
    if deletion and all(bool(curves.isfinite().all()) for curves in [*deletion.values(), *insertion.values()]):
        label = "probability of the label" if words.name == "classes" else words.value(0, ())
        random_order = dict(zip(("deletion", "insertion"), by_chance, strict=True))
        figure = deletion_insertion_curves(deletion, insertion, random_order=random_order, label=label)
        note = (
            f"The mean over {len(rows['row'])} rows spread over the data, as inputs give way to the baseline, the most "
            "attributed first, or are put back in that order. Where the attributions name what a model goes by, the "
            "first curve falls early and the second rises early, before the dotted ones, where the order is random."
            + _no_better(deletion, insertion, random_order)
        )
        yield Plots("Do the attributions name what matters?", note, (figure,))


def _no_better(
    deletion: Mapping[str, Tensor], insertion: Mapping[str, Tensor], random_order: Mapping[str, Mapping[str, Tensor]]
) -> str:
    """Says of which models the attributions are no better than a random order, by more than chance."""
    said = ""
    for kind, curves in (("deletion", deletion), ("insertion", insertion)):
        by_chance = random_order.get(kind, {})
        names = [
            spoken_method(name)
            for name in curves
            if name in by_chance and is_better_than_random(kind, curves[name], by_chance[name]) is False
        ]
        said += f" In {kind}, no better than a random order: {', '.join(names)}." if names else ""
    return said


@dataclass(frozen=True)
class _Table:
    """The explained rows of a table, all of them finite."""

    rows: Mapping[str, Tensor]
    models: Mapping[str, Tensor]
    """The attributions by the model's name."""
    columns: Columns
    words: TaskWords
    class_names: Sequence[str]
    order: tuple[str, ...]
    """The features, those with the largest attributions over all models first: the same in all figures."""
    predicted: list[list[str]]
    """For each model and row, what is predicted; empty for a model where that was not kept."""
    titles: list[list[str]]
    """For each model and row, what is predicted and how certainly."""
    labels: list[str]
    score: str
    """The explained score without its class, such as "logit"."""

    def explained(self, row: int) -> str:
        """The score of a row that is explained."""
        if self.words.name != "classes":
            return self.words.score
        return f"{self.score} of class {self.class_names[int(self.rows['target'][row])]}"


def _table(
    rows: Mapping[str, Tensor], names: Sequence[str], columns: Columns, results: Mapping[str, Any]
) -> _Table | None:
    """What is to be drawn; None if no row is finite."""
    is_finite = torch.stack([rows[name].isfinite().all(dim=1) for name in rows if "attribution" in name]).all(dim=0)
    rows, kept = {name: value[is_finite] for name, value in rows.items()}, is_finite.nonzero().flatten().tolist()
    if not kept:
        return None
    words = words_in(results)
    models = {name: rows[f"attribution.{k}"] for k, name in enumerate(names) if f"attribution.{k}" in rows}
    sizes = [np.abs(signed_by_feature(found, columns)).mean(axis=0) for found in models.values()]
    order = np.argsort(-np.max(sizes, axis=0), kind="stable")
    class_names = list(results["class_names"])
    if not class_names and words.name == "classes":
        class_names = [str(k) for k in range(int(torch.maximum(rows["y"], rows["target"]).max()) + 1)]
    labels = results.get("explained_labels") or [class_names[label] for label in rows["y"].tolist()]
    predicted, sure = (results.get(f"explained_{what}", {}) for what in ("predictions", "certainties"))
    of_models = [
        [predicted[str(place)][row] for row in kept] if str(place) in predicted else [] for place in range(len(models))
    ]
    titles = [
        [_said(text, sure[str(place)][row]) for text, row in zip(texts, kept, strict=True)] if texts else []
        for place, texts in enumerate(of_models)
    ]
    return _Table(
        rows, models, columns, words, class_names, tuple(columns.features[place] for place in order),
        of_models, titles,
        [labels[row] for row in kept] if "explained_labels" in results else labels,
        results.get("explained_score") or "score",
    )  # fmt: skip


def _said(prediction: str, certainty: str) -> str:
    return f"predicts {prediction}" + (f" ({certainty})" if certainty else "")


def _of_table(table: _Table) -> Iterator[Plots]:
    has_scores = all(f"score.{k}" in table.rows for k in range(len(table.models)))
    if table.words.name != "classes":
        yield _beeswarm(table, table.words.score, "raises it")
    else:
        is_one = len(set(table.rows["target"].tolist())) == 1
        whose = f"class {table.class_names[int(table.rows['target'][0])]}" if is_one else "the label"
        yield _beeswarm(table, f"{table.score} of {whose}", f"speaks for {whose}")
        if len(table.class_names) <= MOST_CLASSES:
            yield _bars_by_class(table)
    if has_scores:
        yield _waterfalls(table)


def _beeswarm(table: _Table, explained: str, does: str) -> Plots:
    label = f"attribution to the {explained}: right of 0 {does}"
    x = table.rows["x"]
    figure = beeswarm(table.models, x, table.columns, max_features=12, order=table.order, label=label)
    note = f"Explained is the {explained}. Each point is one of {len(x)} rows spread over the data."
    return Plots("What each feature does, row by row", note, (figure,))


def _bars_by_class(table: _Table) -> Plots:
    y = table.rows["y"]
    figures = [
        mean_bars(
            {name: found[y == k] for name, found in table.models.items()},
            table.columns,
            max_features=10,
            order=table.order,
            title=f"Rows of class {table.class_names[k]}",
            label=f"mean absolute attribution to the {table.score}",
        )
        for k in sorted(set(y.tolist()))
    ]
    note = "Mean absolute attribution over the rows of each class, with 95 % intervals."
    return Plots("How much each feature counts, by class", note, tuple(figures))


def _waterfalls(table: _Table) -> Plots:
    rows = table.rows
    figures = []
    for at in _shown(table):
        names = [
            f"{name} {titles[at]}" if titles else name for name, titles in zip(table.models, table.titles, strict=True)
        ]
        found = dict(zip(names, (attribution[at] for attribution in table.models.values()), strict=True))
        ends = [
            {name: float(rows[f"{what}.{place}"][at]) for place, name in enumerate(names)}
            for what in ("baseline", "score")
        ]
        figures.append(
            waterfall(
                found,
                table.columns,
                baseline=ends[0],
                score=ends[1],
                x=rows["x"][at],
                max_features=8,
                order=table.order,
                title=f"Row {int(rows['row'][at])}, label {table.labels[at]}",
                label=table.explained(at),
            )
        )
    note = (
        "A few rows, feature by feature, first those whose prediction changed: from the score of the baseline, where "
        "every feature has a neutral value, to the score of the row. Red raises the score, blue lowers it."
    )
    return Plots("From the baseline's score to the row's", note, tuple(figures))


def _shown(table: _Table) -> list[int]:
    """The rows to show: first some whose prediction changed, then others, spread over all."""
    count = len(table.rows["x"])
    moved: list[int] = []
    if len(table.titles) > 1 and all(table.titles[:2]):
        before, after = table.predicted[:2]
        moved = [place for place in range(count) if before[place] != after[place]] if table.words.has_classes else []
    chosen = [moved[place] for place in np.linspace(0, len(moved) - 1, min(MOST_MOVED, len(moved))).round().astype(int)]
    spread = np.linspace(0, count - 1, min(NUM_WATERFALLS, count)).round().astype(int).tolist()
    return list(dict.fromkeys([*chosen, *spread]))[:NUM_WATERFALLS]
