"""The verbs ``propose`` and ``queue``: which regions to accept with one click, and which rows to ask about next."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save

from corrigible.data.dataset import shape_of
from corrigible.data.protocol import Dataset, files_of
from corrigible.data.shown_names import Labels
from corrigible.data.swapping import draw_donors
from corrigible.errors import FeedbackError
from corrigible.feedback.masks import said_about
from corrigible.models.bayes.drawing import num_draws
from corrigible.models.devices import device_named
from corrigible.printable import plural
from corrigible.recipe import load_data
from corrigible.regions.candidates import box_of
from corrigible.regions.looked import looked_at
from corrigible.regions.maps import PLAIN_METHOD
from corrigible.regions.proposals import proposals
from corrigible.regions.queries import USUAL_STRATEGY, next_queries
from corrigible.regions.shared_proposals import is_shared, shared_proposals
from corrigible.study import Draft, Study, open_study
from corrigible.types import Pixels, Proposal
from corrigible.workflow.looking_records import AskedNext, Proposed
from corrigible.workflow.making import load_model
from corrigible.workflow.records import Finished
from corrigible.workflow.region_titles import MOST, region_title
from corrigible.workflow.row_names import row_of_file, split_of_file
from corrigible.workflow.suspecting import in_words

NUM_ROWS, MOST_PRINTED = 50, 20
"""Rows that are drawn if none is named; and proposals that are printed."""


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

    The proposals are for a person to accept or to pass over; they create no feedback. The first are yielded, all are in
    the run. Regions that several rows share come first, then those of one row, each by their share of the attribution.
    A proposal that repeats a shared one, or covers most of the picture and holds less of the attribution than of the
    picture, comes last and is not yielded.

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
        telling, others = _ranked(found)
        draft.record["method"] = next((one.method for one in [*telling, *others]), "")
        records = _records([*telling, *others], data, draft, study.recipe.labels)
        draft.write_json("proposals.json", [dataclasses.asdict(record) for record in records])
    assert draft.published is not None
    place = str(draft.published)
    printed = records[: min(MOST_PRINTED, len(telling))]
    printed = [dataclasses.replace(record, region=record.region.replace("RUN", place)) for record in printed]
    yield from printed
    result = _result(records, printed, len(chosen), draft.published.name, is_image=len(shape_of(data)) == 3)
    yield Finished("propose", place, result=result, next=_next(printed, folder, split))


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
    looked = looked_at(model, data, samples=num_draws(model), seed=seed)
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


def _ranked(found: Sequence[Sequence[Proposal]]) -> tuple[list[Proposal], list[Proposal]]:
    """The proposals that tell something, those that several rows share first, and the others; each by their share."""
    shared = sorted(shared_proposals(found), key=lambda one: -one.share)
    single = sorted((one for of_row in found for one in of_row), key=lambda one: -one.share)
    telling: list[Proposal] = []
    others: list[Proposal] = []
    for one in [*shared, *single]:
        is_repeated = len(one.rows) == 1 and any(
            set(one.rows) <= set(each.rows) and is_shared(each, one) for each in shared
        )
        is_spread = one.area > MOST and one.share < one.area
        (others if is_repeated or is_spread else telling).append(one)
    return telling, others


def _result(
    records: Sequence[Proposed], printed: Sequence[Proposed], num_rows: int, run: str, *, is_image: bool
) -> str:
    """How many there are, where the others are, and what shows where the model looks if that is not the usual."""
    if not records:
        return f"nothing to propose: no input of the {plural(num_rows, 'row')} has an attribution other than 0"
    shared = sum(len(record.rows) > 1 for record in records)
    more = len(records) - len(printed)
    said = f"{plural(len(records), 'proposal')} on {plural(num_rows, 'row')}, {shared} of them shared by several rows"
    said += f"; {more} more in runs/{run}/proposals.json" if more else ""
    if is_image and records[0].method == PLAIN_METHOD:
        said += "; the network has no convolution that gives a map, so integrated gradients say where it looks"
    return said


def _next(printed: Sequence[Proposed], folder: Path, split: str) -> tuple[str, ...]:
    """The command that accepts the first proposal, and the page on which rows are looked at."""
    where = shlex.quote(str(folder))
    look = f"corrigible review {where}  # look at rows, and accept what is proposed with one click"
    if not printed:
        return (look,)
    first, row = printed[0], ""
    if len(first.rows) == 1:
        row = f" --file {shlex.quote(first.files[0])}" if first.files else f" --row {first.rows[0]}"
        row += "" if first.files or split == "train" else f" --split {split}"
    return f"corrigible feedback add {where} {first.region}{row}  # if number {first.rank} must not matter", look


def _records(listed: Sequence[Proposal], data: Dataset, draft: Draft, labels: Labels) -> list[Proposed]:
    """The proposals as they are printed; masks that are no rectangles are written as images beside them."""
    records, is_image = [], len(shape_of(data)) == 3
    for rank, proposal in enumerate(listed, start=1):
        region = in_words(proposal.region, is_image=is_image)
        if isinstance(proposal.region, Pixels) and is_image and not _is_rectangle(proposal.region):
            name = f"mask-{rank}.png"
            Image.fromarray(proposal.region.mask.astype("uint8") * 255).save(draft.folder / name)
            region = f"--mask RUN/{name}"
        names = tuple(files_of(data)[row] for row in proposal.rows if files_of(data))
        about = (proposal.rows, proposal.share, proposal.area, proposal.effect, names)
        title = region_title(proposal.region, labels)
        records.append(Proposed(rank, proposal.id, region, *about, title=title, method=proposal.method))
    if is_image and listed:
        masks = [torch.from_numpy(one.region.mask) for one in listed if isinstance(one.region, Pixels)]
        (draft.folder / "masks.safetensors").write_bytes(save({"mask": torch.stack(masks)}))
    return records


def _is_rectangle(region: Pixels) -> bool:
    box = box_of(region)
    return box is not None and box[2] * box[3] == int(region.mask.sum())
