"""The verb ``explain``, and what other verbs share with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from safetensors.torch import save
from torch import Tensor, nn

from corrigible.comparison import spoken
from corrigible.data.dataset import TensorData, rows_of, task_of
from corrigible.data.protocol import Dataset, class_names_of, columns_of, files_of, tokens_of
from corrigible.data.shown_names import tell_unused
from corrigible.errors import FeedbackError
from corrigible.explanations.explaining import explain as attribute
from corrigible.explanations.features import feature_shares
from corrigible.explanations.question import predicted_target
from corrigible.explanations.words import by_token, settings_for_texts
from corrigible.models.devices import device_named
from corrigible.progress import counted
from corrigible.recipe import Recipe, load_data
from corrigible.study import Draft, Run, Study, open_study
from corrigible.workflow.backgrounds import with_background
from corrigible.workflow.covered_patches import are_images, patch_maps
from corrigible.workflow.explained_page import GRADIENTS, PAGE_FILE, Explanations, Maps, explained_page
from corrigible.workflow.explained_words import WORDS_FILE, word_shares, words_of_rows
from corrigible.workflow.making import load_model
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import FeatureShare, Finished
from corrigible.workflow.row_names import row_of_file, split_of_file
from corrigible.workflow.row_texts import outputs_of

NUM_TOLD_WORDS = 20
ROWS_AT_ONCE = 256
"""Rows in memory at once, of a data set that may not fit."""


def explain(
    folder: Path, *, run: str | None = None, files: Sequence[str] = (), seed: int | None = None, device: str = "cpu"
) -> Iterator[FeatureShare | Finished]:
    """Explain a run's model on the rows of the recipe's split; the latest model if no run is named.

    The run's ``explain.html`` shows the most instructive rows.

    Args:
        files: image files, ``test/cat/043.jpg``, to explain these alone.

    Raises:
        FeedbackError: files that are not there, or of several splits.
    """
    study = open_study(folder)
    recipe = with_background(study)
    seed = recipe.seed if seed is None else seed
    source = study.run_named(run) if run else study.latest("train", "correct")
    split, names = _split_of(study, files) if files else (recipe.explain.split, [])
    data = load_data(recipe, study.folder, split)
    tell_unused(recipe.labels, columns_of(data), class_names_of(data) or ())
    index = torch.tensor([row_of_file(name, files_of(data)) for name in names]) if names else torch.arange(len(data))
    origin = {"parent": source.name, "seed": seed, "device": device, "method": recipe.explain.method, "split": split}
    with study.new_run("explain", **origin) as draft:
        model = load_model(source, recipe).to(device_named(device))
        found = _explained(recipe, model, data, index, seed)
        tensors = {"attribution": found.attribution, "target": found.target, "index": index}
        (draft.folder / "attributions.safetensors").write_bytes(save(tensors))
        shares = shares_of([found.attribution], data)
        keep_shares(draft, shares)
        keep_words(draft, data)
        maps = partial(_readable, model, recipe, seed=seed)
        page = _page(found, maps, study, source, split=split, is_chosen=bool(files))
        (draft.folder / PAGE_FILE).write_text(page, encoding="utf-8")
    yield from told_shares(shares, recipe.labels, of_words=tokens_of(data) is not None)
    assert draft.published is not None
    result = f"{spoken(recipe.explain.method)} of {source.name} on {len(index):,} {split} rows"
    steps = next_steps(folder, "explain")
    yield Finished("explain", str(draft.published), str(draft.published / PAGE_FILE), result, steps)


def _split_of(study: Study, files: Sequence[str]) -> tuple[str, list[str]]:
    """The one split of these files, and their paths inside of the data."""
    found = [split_of_file(study, file) for file in files]
    if len({split for split, _ in found}) > 1:
        splits = " and ".join(sorted({split for split, _ in found}))
        raise FeedbackError(f"files of the splits {splits}; expected files of one: explain each split by itself")
    return found[0][0], [name for _, name in found]


def _explained(recipe: Recipe, model: nn.Module, data: Dataset, index: Tensor, seed: int) -> Explanations:
    """The explanations of these rows; only what is kept of them is in memory."""
    outputs, targets, attributions = [], [], []
    for rows in in_parts(data, index):
        outputs.append(outputs_of(model, rows))
        targets.append(predicted_target(model, rows.x, task=task_of(rows), seed=seed))
        attributions.append(of_words(attribution_of(recipe, model, rows, targets[-1], seed), rows))
    return Explanations(
        data, index, torch.cat(outputs), torch.cat(targets).cpu(), torch.cat(attributions).cpu(), recipe.labels
    )


def _readable(model: nn.Module, recipe: Recipe, rows: TensorData, target: Tensor, *, seed: int) -> Tensor | None:
    """Maps in place of attributions of images that no reader can make out; None for all others."""
    is_speckle = recipe.explain.method in GRADIENTS and are_images(rows)
    return patch_maps(model, rows, target, seed).cpu() if is_speckle else None


def _page(found: Explanations, maps: Maps, study: Study, source: Run, *, split: str, is_chosen: bool) -> str:
    return explained_page(
        found,
        maps,
        title=study.recipe.title or study.folder.name,
        model=f"{source.name} ({source.label})",
        method=study.recipe.explain.method,
        split=split,
        is_chosen=is_chosen,
    )


def in_parts(data: Dataset, index: Int[Tensor, " row"] | None = None) -> Iterator[TensorData]:
    """These rows, or all, a bounded number of them in memory at once."""
    index = torch.arange(len(data)) if index is None else index
    for part in counted("explanations: part of the rows", index.split(ROWS_AT_ONCE)):
        yield rows_of(data, part)


def attribution_of(recipe: Recipe, model: nn.Module, rows: TensorData, target: Tensor, seed: int) -> Tensor:
    method, settings = recipe.explain.method, dict(recipe.explain.settings)
    if rows.tokens is not None:
        settings = settings_for_texts(method, settings)
    shared: dict[str, Any] = {"task": task_of(rows), "columns": rows.columns, "seed": seed}
    return attribute(model, rows.x, target, method=method, **shared, **settings)


def explained_target(model: nn.Module, rows: TensorData, seed: int) -> Tensor:
    """The label where it is a class, otherwise what the task explains by default."""
    task = task_of(rows)
    return rows.y if task.name == "classes" else predicted_target(model, rows.x, task=task, seed=seed)


def of_words(attribution: Tensor, rows: TensorData) -> Tensor:
    """The attribution with one number per word for texts; unchanged for other data."""
    return attribution if rows.tokens is None else by_token(attribution)


def keep_words(draft: Draft, data: Dataset) -> None:
    tokens = tokens_of(data)
    if tokens is not None:
        draft.write_json(WORDS_FILE, words_of_rows(tokens))


def keep_shares(draft: Draft, shares: Sequence[tuple[str, float]]) -> None:
    draft.write_json("shares.json", [{"feature": feature, "share": share} for feature, share in shares])


def told_shares(
    shares: Sequence[tuple[str, float]], labels: Mapping[str, str], *, of_words: bool
) -> Iterator[FeatureShare]:
    """The shares to print: of all features, with the recipe's words for them; or of the first words of texts."""
    for feature, share in shares[: NUM_TOLD_WORDS if of_words else None]:
        yield FeatureShare(feature, share, "" if of_words else labels.get(feature, ""))


def shares_of(attributions: Iterable[Tensor], data: Dataset) -> list[tuple[str, float]]:
    tokens = tokens_of(data)
    return feature_shares(attributions, columns_of(data)) if tokens is None else word_shares(attributions, tokens)
