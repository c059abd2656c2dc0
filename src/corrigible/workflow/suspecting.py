"""The verb ``suspect``: ranks regions that a model may rely on by mistake."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from corrigible.data.dataset import shape_of, task_of
from corrigible.data.protocol import Dataset, class_named, class_names_of, columns_of, files_of, tokens_of
from corrigible.feedback.masks import mask_of
from corrigible.models.devices import device_named
from corrigible.printable import plural
from corrigible.recipe import load_data
from corrigible.regions.candidates import box_of
from corrigible.regions.suspect_ranking import Suspect, suspicions
from corrigible.regions.suspects import suspects
from corrigible.study import Draft, open_study
from corrigible.types import Columns, Features, Phrase, Region
from corrigible.workflow.looking_records import Suspected
from corrigible.workflow.making import load_model
from corrigible.workflow.records import Finished
from corrigible.workflow.suspect_page import PAGE_FILE, suspect_page

SPLIT = "train"
"""Training rows, because these hold the confounder."""


def suspect(
    folder: Path, *, run: str | None = None, seed: int | None = None, device: str = "cpu"
) -> Iterator[Suspected | Finished]:
    """Rank regions of the training rows that a run's model may rely on by mistake; the latest model if none is named.

    The ranking is for a person to look at; it creates no feedback.
    """
    study = open_study(folder)
    seed = study.recipe.seed if seed is None else seed
    source = study.run_named(run) if run else study.latest("train", "correct")
    data, title = load_data(study.recipe, study.folder, SPLIT), study.recipe.title or study.folder.name
    with study.new_run("suspect", parent=source.name, seed=seed, device=device, split=SPLIT) as draft:
        model = load_model(source, study.recipe).to(device_named(device))
        found = suspects(model, data, seed=seed)
        shape = shape_of(data)
        ranked = enumerate(zip(found, suspicions(found), strict=True), start=1)
        records = [_record(rank, entry, share, data) for rank, (entry, share) in ranked]
        draft.write_json("suspects.json", [dataclasses.asdict(record) for record in records])
        page = suspect_page(found, records, data, title=title, model=f"{source.name} ({source.label})", study=study)
        (draft.folder / PAGE_FILE).write_text(page, encoding="utf-8")
        if tokens_of(data) is None:  # A word has no fixed place.
            _keep_masks(draft, [entry.region for entry in found], shape, columns_of(data))
    yield from records
    assert draft.published is not None
    page, result = str(draft.published / PAGE_FILE), _result(found, is_image=len(shape) == 3)
    yield Finished("suspect", str(draft.published), page, result, _next(records, folder))


def _next(records: Sequence[Suspected], folder: Path) -> tuple[str, ...]:
    """The command that marks the first region that tells the label; if none does, to measure the model."""
    where = shlex.quote(str(folder))
    for record in records:
        if record.tells_label:
            why = f"if number {record.rank}, above, must not matter"
            return (f"corrigible feedback add {where} {record.region}  # {why}",)
    return (f"corrigible evaluate {where}  # how good the model is",)


def _result(found: Sequence[Suspect], *, is_image: bool) -> str:
    """Which of the suspects are to be taken seriously."""
    telling = sum(suspect.tells_label for suspect in found)
    what = "may be the object itself" if is_image else "may be what should count"
    if not found:
        return "nothing stands out"
    if not telling:
        return f"nothing tells the label by itself: what you see in these regions {what}"
    if telling < len(found):
        return f"{telling} of {len(found)} {'tells' if telling == 1 else 'tell'} the label alone; the others {what}"
    those = "it tells" if telling == 1 else "all of them tell"
    return f"{plural(telling, 'region')} to look at; {those} the label alone"


def _record(rank: int, found: Suspect, suspicion: str, data: Dataset) -> Suspected:
    test, task = found.test, task_of(data)
    return Suspected(
        rank=rank,
        region=in_words(found.region, is_image=len(shape_of(data)) == 3),
        label="" if found.label is None else _part_named(found.label, data),
        score=found.score,
        effect=test.effect,
        low=test.low,
        high=test.high,
        ratio=test.ratio,
        p_value=test.p_value,
        agreement=found.agreement,
        size=found.size,
        rows=found.rows,
        tells_label=found.tells_label,
        files=tuple(files_of(data)[row] for row in found.rows if files_of(data)),
        suspicion=suspicion,
        moved_as="" if task.name == "classes" else task.moved_as,
    )


def _part_named(label: int, data: Dataset) -> str:
    """The class, or which part of labels that are no classes, counted from the smallest."""
    return class_named(label, class_names_of(data)) if task_of(data).logits else f"part {label + 1} of the labels"


def _keep_masks(draft: Draft, regions: Sequence[Region], shape: tuple[int, ...], columns: Columns | None) -> None:
    """Write the masks of the regions in their order; write nothing if nothing is suspected."""
    masks = [mask_of(region, shape, columns)[None] for region in regions if not isinstance(region, Phrase)]
    stacked = torch.cat([torch.zeros(0, *shape, dtype=torch.bool), *masks])
    (draft.folder / "masks.safetensors").write_bytes(save({"mask": stacked}))


def in_words(region: Region, *, is_image: bool) -> str:
    """The region in the form that ``feedback add`` takes: a box in pixels, feature names, words, or places."""
    if isinstance(region, Features):
        return " ".join(f"--feature {shlex.quote(name)}" for name in region.names)
    if isinstance(region, Phrase):
        return f"--phrase {shlex.quote(' '.join(region.words))}"
    box = box_of(region) if is_image else None
    if box is not None:
        return "--box " + " ".join(map(str, box))
    marked = np.flatnonzero(region.mask.reshape(len(region.mask), -1).any(axis=1))
    return " ".join(f"--token {place}" for place in marked.tolist())
