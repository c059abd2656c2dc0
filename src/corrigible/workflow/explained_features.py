"""The effects of a table's strongest features, alone and in pairs, computed when models are measured."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file, save
from torch import Tensor, nn

from corrigible.data.shown_names import Labels, in_words
from corrigible.explanations.features import feature_index
from corrigible.explanations.interactions.shapley_interactions import shapley_interactions
from corrigible.explanations.scores import TargetValue
from corrigible.explanations.summaries.grid import Grid
from corrigible.explanations.summaries.partial_dependence import PartialDependence, partial_dependence
from corrigible.intervals import half_width
from corrigible.plots.features import signed_by_feature, strongest
from corrigible.recipe import Recipe
from corrigible.study import Draft, Run
from corrigible.tasks import CLASSES
from corrigible.types import Columns, Task
from corrigible.workflow.explained_rows import score_of

TENSORS_FILE, FACTS_FILE = "explained_features.safetensors", "explained_features.json"
NUM_DEPENDENT, MOST_PAIRED = 3, 8
"""Features that are set to other values; features that are paired with each other, with all others as one group."""
MOST_SET_ROWS, MOST_PAIRED_ROWS = 200, 50


@dataclass(frozen=True, eq=False)
class ExplainedFeatures:
    """The data for the report's plots of single features; models are numbered as in the evaluation."""

    target: int
    """The class whose probability is plotted, or the number of the task's value."""
    dependence: Mapping[int, list[PartialDependence]]
    """For each model, the partial dependence on the strongest features, on the same rows."""
    paired: tuple[str, ...]
    """The features and the group of the others."""
    interactions: Mapping[int, Float[Tensor, " feature other_feature"]]
    """For each model, the Shapley interactions averaged over the same rows."""
    half_widths: Mapping[int, Float[Tensor, " feature other_feature"]]
    """Half the width of the 95 % interval of each; empty for evaluations of older versions."""


def explained_features(
    recipe: Recipe,
    models: Mapping[int, nn.Module],
    rows: Mapping[str, Tensor],
    columns: Columns,
    seed: int,
    task: Task = CLASSES,
) -> ExplainedFeatures:
    """The effects of the features with the largest attributions over all models, on these rows.

    The class is the one that is explained most often; with two classes, it is the same in every row.
    """
    value = "target_prob" if task.name == "classes" else TargetValue(task)
    found = [signed_by_feature(rows[f"attribution.{place}"], columns) for place in models]
    sizes = np.stack([np.abs(signed).mean(axis=0) for signed in found]).max(axis=0)
    order = strongest(sizes, MOST_PAIRED)
    target = int(rows["target"].mode().values)
    some = rows["x"][_spread(len(rows["x"]), MOST_SET_ROWS)]
    dependence = {
        place: [
            partial_dependence(model, some, columns.features[k], target=target, score=value, columns=columns)
            for k in order[:NUM_DEPENDENT]
        ]
        for place, model in models.items()
    }
    chosen = _spread(len(rows["x"]), MOST_PAIRED_ROWS)
    x, y = rows["x"][chosen], rows["target"][chosen]
    groups, paired = _paired(columns, order)
    baseline, score = (
        recipe.explain.settings.get("baseline"),
        score_of(recipe, task) or ("target_logit" if task.name == "classes" else value),
    )
    shared: dict[str, Any] = {"groups": groups, "columns": columns, "baseline": baseline, "score": score, "seed": seed}
    of_rows = {place: shapley_interactions(model, x, y, **shared).cpu() for place, model in models.items()}
    widths = {place: _half_width(found) for place, found in of_rows.items() if len(found) > 1}
    means = {place: found.mean(dim=0) for place, found in of_rows.items()}
    return ExplainedFeatures(target, dependence, paired, means, widths)


def _half_width(found: Float[Tensor, " row feature other_feature"]) -> Float[Tensor, " feature other_feature"]:
    half = half_width(found.double().flatten(1).numpy())
    assert half is not None
    return torch.from_numpy(half).view(found.shape[1:])


def keep_features(draft: Draft, found: ExplainedFeatures) -> None:
    """Write the files that ``kept_features`` reads."""
    tensors: dict[str, Tensor] = {}
    facts = []
    for k, panel in enumerate(next(iter(found.dependence.values()))):
        parts = dataclasses.asdict(panel.grid)
        facts.append({name: part for name, part in parts.items() if not isinstance(part, Tensor)})
        tensors |= {f"axis.{k}.{_stored(name)}": part for name, part in parts.items() if isinstance(part, Tensor)}
    for place, panels in found.dependence.items():
        tensors |= {f"lines.{place}.{k}": panel.lines.cpu() for k, panel in enumerate(panels)}
        tensors[f"interactions.{place}"] = found.interactions[place]
        if place in found.half_widths:
            tensors[f"half_widths.{place}"] = found.half_widths[place]
    whole = {name: value.contiguous() for name, value in tensors.items()}
    (draft.folder / TENSORS_FILE).write_bytes(save(whole))
    models = list(found.dependence)
    draft.write_json(FACTS_FILE, {"target": found.target, "models": models, "axes": facts, "paired": found.paired})


def kept_features(run: Run, labels: Labels) -> ExplainedFeatures | None:
    """The features that an evaluation kept; None for images, and for evaluations of older versions.

    Args:
        labels: the words for columns and categories, in place of their names.
    """
    if not (run.folder / FACTS_FILE).exists():
        return None
    facts, tensors = run.read(FACTS_FILE), load_file(run.folder / TENSORS_FILE)
    grids = []
    for k, of_grid in enumerate(facts["axes"]):
        parts = {field.name: tensors.get(f"axis.{k}.{_stored(field.name)}") for field in dataclasses.fields(Grid)}
        name = of_grid["feature"]
        categories = tuple(labels.get(f"{name}={category}", category) for category in of_grid["categories"])
        grids.append(Grid(**(parts | of_grid | {"feature": in_words(name, labels), "categories": categories})))
    models = facts["models"]
    dependence = {
        place: [PartialDependence(grid, tensors[f"lines.{place}.{k}"]) for k, grid in enumerate(grids)]
        for place in models
    }
    interactions = {place: tensors[f"interactions.{place}"] for place in models}
    widths = {place: tensors[f"half_widths.{place}"] for place in models if f"half_widths.{place}" in tensors}
    return ExplainedFeatures(
        facts["target"], dependence, tuple(in_words(name, labels) for name in facts["paired"]), interactions, widths
    )


def _stored(name: str) -> str:
    """The name of a grid's part in the files of evaluations."""
    return {"points": "grid"}.get(name, name)


def _spread(num_rows: int, most: int) -> Int[Tensor, " row"]:
    return torch.linspace(0, num_rows - 1, min(most, num_rows)).round().long()


def _paired(columns: Columns, order: list[int]) -> tuple[Int[Tensor, " column"], tuple[str, ...]]:
    """Each column's group and the groups' names: the strongest features in the table's order, then all others."""
    shown = sorted(order)
    others = [k for k in range(len(columns.features)) if k not in shown]
    group_of = torch.empty(len(columns.features), dtype=torch.long)
    group_of[shown] = torch.arange(len(shown))
    group_of[others] = len(shown)
    names = [columns.features[k] for k in shown]
    if others:
        names.append(columns.features[others[0]] if len(others) == 1 else f"{len(others)} others")
    return group_of[feature_index(columns)], tuple(names)
