"""The data for the report's plots of explanations, computed when models are measured."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from corrigible.data.dataset import all_labels, rows_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.explanations.baselines import baseline_row
from corrigible.explanations.explaining import EXPLAINERS, explain
from corrigible.explanations.groups import TOKEN
from corrigible.explanations.quality.curves import deletion_curve, insertion_curve
from corrigible.explanations.scores import SCORES, TargetValue, plain_score, score_for
from corrigible.explanations.words import settings_for_texts
from corrigible.methods import method_named, settings_of
from corrigible.models.forward import Score
from corrigible.models.modes import evaluating, like_parameters
from corrigible.recipe import Recipe
from corrigible.study import Draft
from corrigible.types import Columns, Task

ROWS_FILE, COLUMNS_FILE = "explained.safetensors", "columns.json"
MOST_ROWS, MOST_NUMBERS, MOST_IMAGES = 500, 500_000, 64
"""Most rows of a table that are explained for plots, most numbers that they may hold, and most images."""


def explained_rows(data: Dataset) -> dict[str, Tensor]:
    """Rows spread over the data set, and the class, label or number of the output that is explained for each.

    For a table with two classes it is always the second, so that a sign means the same in every row; with more it is
    each row's label. Of several labels it is the first one that the row has. Otherwise it is what the task explains.
    """
    columns = columns_of(data)
    most = MOST_IMAGES if columns is None else min(MOST_ROWS, MOST_NUMBERS // len(columns.names))
    index = torch.linspace(0, len(data) - 1, max(min(most, len(data)), 1)).round().long()
    rows = rows_of(data, index)
    target = _target(rows.y, data)
    words = {} if rows.tokens is None else {"words": rows.tokens.ids}
    return {"row": index, "x": rows.x.contiguous(), "y": rows.y, "target": target, **words}


def _target(y: Tensor, data: Dataset) -> Tensor:
    task = task_of(data)
    if task.name == "classes":
        is_binary = columns_of(data) is not None and int(all_labels(data).max()) == 1
        return torch.ones_like(y) if is_binary else y.clone()
    return y.argmax(dim=1) if task.name == "several_labels" else task.target(torch.zeros(len(y), task.num_outputs))


def explained_by(
    recipe: Recipe, model: nn.Module, rows: Mapping[str, Tensor], data: Dataset, seed: int
) -> dict[str, Tensor]:
    """For a table, the model's attributions of these rows, and the scores of rows and baseline if the method has one.

    For images and texts, the probability of each row's label, or the predicted value, while inputs are removed, or put
    back, by attribution; and the mean over the rows where that happens in random order.
    """
    columns, task = columns_of(data), task_of(data)
    method, settings, groups = recipe.explain.method, dict(recipe.explain.settings), None
    if "words" in rows:
        settings, groups = settings_for_texts(method, settings), TOKEN
    x, target = rows["x"], rows["target"]
    attribution = explain(model, x, target, method=method, task=task, columns=columns, seed=seed, **settings)
    if columns is not None:
        found = {"attribution": attribution} | _scores(recipe, model, x, target, data)
    else:
        drawn: dict[str, Any] = {"baseline": settings.get("baseline"), "groups": groups, "seed": seed}
        drawn |= {} if task.name == "classes" else {"score": TargetValue(task)}
        curves = {"deletion": deletion_curve, "insertion": insertion_curve}
        found = {name: curve(model, x, target, attribution, **drawn) for name, curve in curves.items()}
        by_chance = _random_order(attribution, seed)
        found |= {
            f"random_{name}": curve(model, x, target, by_chance, **drawn).mean(dim=0, keepdim=True)
            for name, curve in curves.items()
        }
    return {name: value.cpu().contiguous() for name, value in found.items()}


def _random_order(attribution: Tensor, seed: int) -> Tensor:
    """Attributions by which inputs come in random order."""
    draws = torch.rand(attribution.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return draws.to(attribution)


def score_of(recipe: Recipe, task: Task) -> str | Score | None:
    """The score that the method explains; None if it has no such setting, or if the score is drawn for every pass."""
    score = _taken(recipe).get("score")
    if task.name != "classes" and "score" in _taken(recipe):
        return score_for(recipe.explain.settings.get("score"), task)
    return score if score in SCORES else None


def keep(draft: Draft, rows: Mapping[str, Tensor], columns: Columns | None) -> None:
    """Write the files that ``explanation_plots`` reads; not the images, which would be large and are not plotted."""
    kept = {name: value for name, value in rows.items() if columns is not None or name != "x"}
    (draft.folder / ROWS_FILE).write_bytes(save(kept))
    if columns is not None:
        draft.write_json(COLUMNS_FILE, dataclasses.asdict(columns))


def _scores(recipe: Recipe, model: nn.Module, x: Tensor, target: Tensor, data: Dataset) -> dict[str, Tensor]:
    """The score of each row and of the baseline."""
    task = task_of(data)
    takes, name = _taken(recipe), score_of(recipe, task)
    if name is None or "baseline" not in takes or takes.get("background") is not None:
        return {}
    score, baseline = plain_score(name), baseline_row(takes["baseline"], x, columns_of(data))[None]
    of_baseline = _outputs(model, baseline, task).expand(len(x), -1)
    return {"score": score(_outputs(model, x, task), target), "baseline": score(of_baseline, target)}


def _outputs(model: nn.Module, x: Tensor, task: Task) -> Tensor:
    with evaluating(model), torch.no_grad():
        return task.outputs(model(like_parameters(x.clone(), model))).to(x.device)


def _taken(recipe: Recipe) -> dict[str, Any]:
    """The method's settings, with the recipe's in place of the defaults."""
    method = method_named(recipe.explain.method, EXPLAINERS, "explainer")
    return settings_of(method) | dict(recipe.explain.settings)
