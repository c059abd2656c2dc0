"""The verbs ``propose`` and ``queue``: which regions to accept with one click, and which rows to ask about next."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save

from corrigible.data.dataset import shape_of
from corrigible.data.protocol import Dataset, files_of
from corrigible.data.swapping import draw_donors
from corrigible.errors import FeedbackError
from corrigible.feedback.masks import said_about
from corrigible.models.devices import device_named
from corrigible.printable import plural
from corrigible.recipe import load_data
from corrigible.regions.candidates import box_of
from corrigible.regions.looked import looked_at
from corrigible.regions.proposals import proposals
from corrigible.regions.queries import USUAL_STRATEGY, next_queries
from corrigible.regions.shared_proposals import shared_proposals
from corrigible.study import Draft, Study, open_study
from corrigible.types import Pixels, Proposal
from corrigible.workflow.making import load_model
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import AskedNext, Finished, Proposed
from corrigible.workflow.row_names import row_of_file, split_of_file
from corrigible.workflow.suspecting import in_words

NUM_ROWS, MOST_PRINTED = 50, 3
"""Rows that are drawn if none is named; and proposals of each that are printed."""


def propose(
    folder: Path,
    *,
    run: str | None = None,
    files: Sequence[str] = (),
    rows: Sequence[int] = (),
    split: str = "train",
    objects: str = "",
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Proposed | Finished]:
    """Propose regions on which a run's model rests its predictions, row by row, and those that several rows share.

    The proposals are for a person to accept or to pass over; they create no feedback.

    Args:
        files: image files, ``train/cat/043.jpg``, in place of rows; they also name the split.
        rows: positions in the split; 50 rows drawn by the seed if neither is given.
        objects: a segmentation model, ``module:function``, whose objects join segments.

    Raises:
        FeedbackError: a row or file that is not there.
    """
    study = open_study(folder)
    seed = study.recipe.seed if seed is None else seed
    source = study.run_named(run) if run else study.latest("train", "correct")
    split, named = _place_of(study, files, split)
    data = load_data(study.recipe, study.folder, split)
    chosen = _rows(data, rows, named, seed)
    origin = {"parent": source.name, "seed": seed, "device": device, "split": split}
    with study.new_run("propose", **origin) as draft:
        model = load_model(source, study.recipe).to(device_named(device))
        found = proposals(model, data, chosen, objects=objects or None, seed=seed)
        listed = [*shared_proposals(found), *(proposal for of_row in found for proposal in of_row)]
        records = _records(listed, data, draft, is_image=len(shape_of(data)) == 3)
        draft.write_json("proposals.json", [dataclasses.asdict(record) for record in records])
    assert draft.published is not None
    place = str(draft.published)
    printed = (record for record in records if len(record.rows) > 1 or record.rank <= MOST_PRINTED)
    yield from (dataclasses.replace(record, region=record.region.replace("RUN", place)) for record in printed)
    shared = sum(len(record.rows) > 1 for record in records)
    result = f"{len(records) - shared} proposals on {plural(len(chosen), 'row')}, {shared} that several rows share"
    yield Finished("propose", place, result=result, next=next_steps(folder, "suspect"))


def queue(
    folder: Path,
    *,
    run: str | None = None,
    strategy: str = USUAL_STRATEGY,
    count: int = 20,
    split: str = "train",
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[AskedNext]:
    """List the rows to ask a person about next, with the reason; rows that were answered or marked are passed over.

    Raises:
        RecipeError: no strategy has that name.
    """
    study = open_study(folder)
    seed = study.recipe.seed if seed is None else seed
    source = study.run_named(run) if run else study.latest("train", "correct")
    data = load_data(study.recipe, study.folder, split)
    with study.feedback() as store:
        said = said_about((feedback for _, feedback in store.active()), split)
        answered = [answer.row for _, answer in store.answers() if answer.split == split]
    model = load_model(source, study.recipe).to(device_named(device))
    looked = looked_at(model, data, seed=seed)
    found = next_queries(looked, strategy=strategy, count=count, feedback=said, answered=answered)
    files = files_of(data)
    for rank, query in enumerate(found, start=1):
        yield AskedNext(rank, split, query.row, query.reason, query.score, files[query.row] if files else "")


def _place_of(study: Study, files: Sequence[str], split: str) -> tuple[str, list[str]]:
    """The split and the names of image files inside of the data."""
    places = [split_of_file(study, file) for file in files]
    splits = list(dict.fromkeys(found for found, _ in places))
    if len(splits) > 1:
        raise FeedbackError(f"files of the splits {' and '.join(splits)}; expected files of one")
    return (splits or [split])[0], [file for _, file in places]


def _rows(data: Dataset, rows: Sequence[int], named: Sequence[str], seed: int) -> list[int]:
    chosen = [*rows, *(row_of_file(file, files_of(data)) for file in named)]
    wrong = [row for row in chosen if row >= len(data)]
    if wrong:
        raise FeedbackError(f"row {wrong[0]}; the data has rows 0 to {len(data) - 1}")
    return chosen or draw_donors(len(data), NUM_ROWS, seed).sort().values.tolist()


def _records(listed: Sequence[Proposal], data: Dataset, draft: Draft, *, is_image: bool) -> list[Proposed]:
    """The proposals as they are printed; masks that are no rectangles are written as images beside them."""
    records, rank, last = [], 0, None
    for number, proposal in enumerate(listed):
        rank, last = (rank + 1 if proposal.rows == last or len(proposal.rows) > 1 else 1), proposal.rows
        region = in_words(proposal.region, is_image=is_image)
        if isinstance(proposal.region, Pixels) and is_image and not _is_rectangle(proposal.region):
            name = f"mask-{number}.png"
            Image.fromarray(proposal.region.mask.astype("uint8") * 255).save(draft.folder / name)
            region = f"--mask RUN/{name}"
        names = tuple(files_of(data)[row] for row in proposal.rows if files_of(data))
        about = (proposal.rows, proposal.share, proposal.area, proposal.effect, names)
        records.append(Proposed(rank, proposal.id, region, *about))
    if is_image and listed:
        masks = [torch.from_numpy(one.region.mask) for one in listed if isinstance(one.region, Pixels)]
        (draft.folder / "masks.safetensors").write_bytes(save({"mask": torch.stack(masks)}))
    return records


def _is_rectangle(region: Pixels) -> bool:
    box = box_of(region)
    return box is not None and box[2] * box[3] == int(region.mask.sum())
