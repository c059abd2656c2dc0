"""What the report plots of explanations, computed when models are measured."""

import dataclasses
from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import Tensor, nn

from corrigible.data.dataset import Dataset, TensorData, all_labels, columns_of, rows_of
from corrigible.explanations.answers import answers
from corrigible.explanations.baselines import baseline_row
from corrigible.explanations.explaining import explain
from corrigible.explanations.family import EXPLAINERS
from corrigible.explanations.quality.curves import deletion_curve, insertion_curve
from corrigible.explanations.scores import SCORES
from corrigible.methods import method_named, settings_of
from corrigible.recipe import Recipe
from corrigible.study import Draft
from corrigible.types import Columns

ROWS_FILE, COLUMNS_FILE = "explained.safetensors", "columns.json"
MOST_ROWS, MOST_NUMBERS = 500, 500_000
"""Rows that are explained for plots, and inputs of them all: with many columns there are fewer rows."""


def explained_rows(data: Dataset) -> dict[str, Tensor]:
    """Rows of a table spread over the data set, and the class whose score is explained; nothing for images.

    Of two classes it is always the second, so that a sign means the same in every row; of more, each row's label.
    """
    columns = columns_of(data)
    if columns is None:
        return {}
    most = max(min(MOST_ROWS, MOST_NUMBERS // len(columns.names), len(data)), 1)
    index = torch.linspace(0, len(data) - 1, most).round().long()
    rows = rows_of(data, index)
    target = torch.ones_like(rows.y) if int(all_labels(data).max()) == 1 else rows.y.clone()
    return {"row": index, "x": rows.x.contiguous(), "y": rows.y, "target": target}


def explained_by(
    recipe: Recipe, model: nn.Module, rows: Mapping[str, Tensor], columns: Columns | None, seed: int
) -> dict[str, Tensor]:
    """The model's attributions of these rows; where the method has a baseline, the scores of the rows and of it too."""
    if not rows:
        return {}
    method, settings = recipe.explain.method, recipe.explain.settings
    x, target = rows["x"], rows["target"]
    found = {"attribution": explain(model, x, target, method=method, columns=columns, seed=seed, **settings)}
    takes = settings_of(method_named(method, EXPLAINERS, "explainer")) | dict(settings)
    if "baseline" in takes and takes.get("score") in SCORES and takes.get("background") is None:
        score = SCORES[takes["score"]]
        found["score"] = score(answers(model, x), target)
        found["baseline"] = score(answers(model, baseline_row(takes["baseline"], x)[None]).expand(len(x), -1), target)
    return {name: value.cpu().contiguous() for name, value in found.items()}


def curves_of(recipe: Recipe, model: nn.Module, rows: TensorData, attribution: Tensor, seed: int) -> dict[str, Tensor]:
    """Each image's probability of its label while inputs are removed, or put back, by attribution; none for tables."""
    if rows.columns is not None or not bool(attribution.isfinite().all()):
        return {}
    baseline = recipe.explain.settings.get("baseline")
    return {
        name: curve(model, rows.x, rows.y, attribution, baseline=baseline, seed=seed).cpu().contiguous()
        for name, curve in (("deletion", deletion_curve), ("insertion", insertion_curve))
    }


def keep(draft: Draft, rows: Mapping[str, Tensor], columns: Columns | None) -> None:
    """Writes what ``explanation_plots`` reads."""
    if columns is not None:
        (draft.folder / ROWS_FILE).write_bytes(save(dict(rows)))
        draft.write_json(COLUMNS_FILE, dataclasses.asdict(columns))
