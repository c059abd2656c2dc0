"""The rows that a report shows one by one: those that people reviewed, those that the correction moved, then others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import TensorData, rows_of
from corrigible.data.protocol import Dataset, class_names_of, files_of
from corrigible.feedback.masks import marks_of, said_about
from corrigible.recipe import Recipe, load_data
from corrigible.study import Study
from corrigible.types import Feedback
from corrigible.workflow.covered_patches import are_images, patch_maps, patch_of
from corrigible.workflow.explained_words import words_of_rows
from corrigible.workflow.explaining import attribution_of, explained_target
from corrigible.workflow.row_texts import certainty_texts, label_texts, outputs_of, prediction_texts

NUM_EXAMPLES, MOST_REVIEWED, MOST_MOVED = 8, 3, 3
REVIEWED, MOVED, OTHER = "reviewed", "prediction changed", ""


class Example(NamedTuple):
    """One row to show, and why it is shown."""

    split: str
    row: int
    reason: str


@dataclass(frozen=True)
class Shown:
    """What an evaluation keeps of its examples."""

    tensors: Mapping[str, Tensor]
    """The rows, their marks, and each model's attribution, by the model's number."""
    facts: Mapping[str, Any]
    """Where the rows are from, their labels, and what a map shows."""
    words: list[list[str]]
    """For texts, the words of each row."""
    predictions: Mapping[int, Mapping[str, list[str]]]
    """For each model, what it predicts of each row and how certain it is."""


def chosen_examples(
    reviewed: Sequence[tuple[str, int]], predicted: Sequence[Tensor], split: str, num_rows: int
) -> list[Example]:
    """Rows that people reviewed, spread over all that they did, then rows of the split whose prediction changed.

    Rows spread over the split fill up what is left.

    Args:
        reviewed: the split and number of each reviewed row.
        predicted: of every row of the split, before the correction and after it where there is one.
    """
    found = [Example(*reviewed[place], REVIEWED) for place in _spread(len(reviewed), MOST_REVIEWED)]
    moved = _moved(predicted)
    found += [Example(split, int(moved[place]), MOVED) for place in _spread(len(moved), MOST_MOVED)]
    others = [Example(split, row, OTHER) for row in _spread(num_rows, NUM_EXAMPLES)]
    taken: dict[tuple[str, int], Example] = {}
    for example in (*found, *others):
        taken.setdefault((example.split, example.row), example)
    return list(taken.values())[:NUM_EXAMPLES]


def reviewed_rows(feedback: Sequence[Feedback]) -> list[tuple[str, int]]:
    """The split and number of each row that something was said about, those of training first."""
    found = dict.fromkeys((said.split, said.row) for said in feedback if said.row is not None)
    of_training = [row for row in found if row[0] == "train"]
    return of_training or list(found)


def examples_for(
    study: Study,
    recipe: Recipe,
    data: Dataset,
    feedback: Sequence[Feedback],
    predicted: Sequence[Tensor],
    models: Mapping[int, nn.Module],
    seed: int,
) -> Shown:
    """The examples of an evaluation, with each model's predictions and attributions.

    Args:
        feedback: all that was said, about rows of any split.
        models: those to explain, by their number.
    """
    here = recipe.evaluate.split
    chosen = chosen_examples(reviewed_rows(feedback), predicted, here, len(data))
    parts = list(_parts(study, recipe, data, feedback, chosen))
    tensors = {name: torch.cat([part.tensors[name] for part in parts]) for name in parts[0].tensors}
    predictions: dict[int, dict[str, list[str]]] = {}
    for place, model in models.items():
        maps = [_map(recipe, model, part.rows, seed) for part in parts]
        tensors[f"attribution.{place}"] = torch.cat(maps).contiguous()
        found = [_predicted(model, part) for part in parts]
        predictions[place] = {
            "row_predictions": [text for texts, _ in found for text in texts],
            "row_certainties": [share for _, shares in found for share in shares],
        }
    facts = {
        "row_splits": [example.split for part in parts for example in part.examples],
        "row_reasons": [example.reason for part in parts for example in part.examples],
        "row_files": [name for part in parts for name in part.files],
        "row_labels": [text for part in parts for text in part.labels],
        "map_patch": patch_of(parts[0].rows.x) if are_images(parts[0].rows) else 0,
    }
    words = [row for part in parts if part.rows.tokens for row in words_of_rows(part.rows.tokens)]
    return Shown(tensors, facts, words, predictions)


class _Part(NamedTuple):
    """The examples that are rows of one split."""

    examples: list[Example]
    rows: TensorData
    tensors: dict[str, Tensor]
    files: list[str]
    labels: list[str]
    class_names: tuple[str, ...]


def _parts(
    study: Study, recipe: Recipe, data: Dataset, feedback: Sequence[Feedback], chosen: Sequence[Example]
) -> Iterator[_Part]:
    for split in dict.fromkeys(example.split for example in chosen):
        of_split = [example for example in chosen if example.split == split]
        source = data if split == recipe.evaluate.split else load_data(recipe, study.folder, split)
        index = torch.tensor([example.row for example in of_split])
        marked = collate(source, index, marks_of(said_about(feedback, split), source))
        assert marked.irrelevant is not None
        tensors = {"row": index, "x": marked.x.contiguous(), "y": marked.y, "irrelevant": marked.irrelevant}
        files = files_of(source)
        names = [files[row] if files else "" for row in index.tolist()]
        texts = (names, label_texts(source, index), class_names_of(source))
        yield _Part(of_split, rows_of(source, index), tensors, *texts)


def _map(recipe: Recipe, model: nn.Module, rows: TensorData, seed: int) -> Tensor:
    """For images, how far the score drops when a patch is covered; otherwise what the recipe's explainer says."""
    target = explained_target(model, rows, seed)
    if are_images(rows):
        return patch_maps(model, rows, target, seed)
    return attribution_of(recipe, model, rows, target, seed)


def _predicted(model: nn.Module, part: _Part) -> tuple[list[str], list[str]]:
    outputs = outputs_of(model, part.rows)
    every = torch.arange(len(part.rows))
    return prediction_texts(outputs, part.rows, part.class_names), certainty_texts(outputs, part.rows, every)


def _moved(predicted: Sequence[Tensor]) -> Int[Tensor, " row"]:
    """The rows whose prediction is another one after the correction; of numbers, those that moved furthest."""
    if len(predicted) < 2:
        return torch.empty(0, dtype=torch.long)
    before, after = (found.double().reshape(len(found), -1) for found in predicted[:2])
    size = (after - before).abs().amax(dim=1)
    if predicted[0].is_floating_point():
        order = size.argsort(descending=True, stable=True)[:MOST_MOVED]
        return order[size[order] > 0]
    return size.nonzero().flatten()


def _spread(count: int, most: int) -> list[int]:
    """At most so many places, spread from the first to the last."""
    if not count:
        return []
    places: list[int] = torch.linspace(0, count - 1, min(most, count)).round().long().tolist()
    return places
