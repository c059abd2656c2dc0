"""The verb that forgets training rows: the model from then on, and all later runs, are without them."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.dataset import rows_of
from corrigible.data.naming import rows_named
from corrigible.data.protocol import Dataset, files_of
from corrigible.errors import DataError, FeedbackError
from corrigible.models.devices import device_named
from corrigible.models.weights import save_weights
from corrigible.progress import begun
from corrigible.protocols.unlearning.forgotten_rows import forgotten_rows
from corrigible.protocols.unlearning.unlearned import Unlearned
from corrigible.protocols.unlearning.unlearning import unlearning
from corrigible.run_records import FORGET
from corrigible.study import Study, open_study
from corrigible.workflow.forgotten import Training, training
from corrigible.workflow.making import load_model, logged
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Finished, Record, Started
from corrigible.workflow.row_hashes import hashed_columns, row_hashes

MOST_TEXT = 2000


def forget(
    folder: Path,
    *,
    why: str,
    rows: Sequence[int] = (),
    label: str | None = None,
    method: str = "hybrid",
    author: str = "",
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Record]:
    """Forget training rows: a run with a model that has forgotten them, which takes the trained model's place.

    Corrections after it start from that model, and no later run learns from the rows. The run records positions and
    hashes of the rows, not the rows.

    Args:
        why: the reason, which is recorded.
        rows: positions of training rows, from 0.
        label: instead of rows, the name or number of a class.
        method: a name in ``UNLEARNING``.

    Raises:
        StudyError: nothing was trained.
        FeedbackError: no reason, or a text that is too long.
        RecipeError, DataError: as `corrigible.unlearn`, or rows that were forgotten before.
    """
    _require_texts(why=why, author=author)
    study = open_study(folder)
    parent, known = study.latest("train"), training(study)
    index = _asked(known, rows, label)
    given = {"rows": ranges(rows), "label": label, "method": method, "why": why, "author": author}
    study = replace(study, options={name: value for name, value in given.items() if value})
    seed = study.recipe.seed if seed is None else seed
    model = load_model(parent, study.recipe).to(device_named(device))
    standing = torch.arange(len(known.rows))
    standing = standing[~torch.isin(standing, known.forgotten)]
    how: dict[str, Any] = {"method": method, "batch_size": study.recipe.train.batch_size, "seed": seed}
    origin = {"parent": parent.name, "seed": seed, "device": device, "facts": parent.record["facts"]}
    yield Started(FORGET, "forgotten", len(standing) - len(index))
    begun("first batches")
    with study.new_run(FORGET, label="trained, rows forgotten", **origin) as draft:
        progress = unlearning(model, rows_of(known.rows, standing), torch.searchsorted(standing, index), **how)
        found = yield from logged(draft, progress)
        record: Unlearned = found.unlearned
        save_weights(found, draft.folder / "weights.safetensors")
        kept = {**dataclasses.asdict(record), "rows": index.tolist(), "digest": record.digest}
        draft.record["forgotten"] = {**kept, "settings": dict(record.settings), **_how_found(study, known.rows, index)}
    yield Finished(FORGET, str(draft.published), result=record.line, next=next_steps(folder, FORGET))


def _how_found(study: Study, data: Dataset, index: Int[Tensor, " forgotten"]) -> dict[str, Any]:
    """By what the rows are found again: the number of rows, and of files with columns hashes of the rows' cells."""
    columns = hashed_columns(study, data)
    hashes = row_hashes(study, data, columns) if columns else None
    if hashes is None:
        return {"of": len(data)}
    return {"of": len(data), "columns": columns, "hashes": [hashes[row] for row in index.tolist()]}


def _require_texts(**texts: str) -> None:
    for what, text in texts.items():
        if len(text) > MOST_TEXT:
            raise FeedbackError(f"{what} has {len(text):,} characters; expected at most {MOST_TEXT:,}")
    if not texts["why"].strip():
        raise FeedbackError("no reason is given; expected one that can be read later, such as a request's number")


def _asked(known: Training, rows: Sequence[int], label: str | None) -> Int[Tensor, " forgotten"]:
    """The positions of the rows to forget, none of which was forgotten before."""
    index = forgotten_rows(known.rows, list(rows) or None, label=label)
    is_gone = torch.isin(index, known.forgotten)
    if label is None and bool(is_gone.any()):
        named = rows_named(index[is_gone].tolist(), files_of(known.rows), most=3)
        raise DataError(f"{named} of train was forgotten already; leave it out")
    return index[~is_gone]


def ranges(rows: Sequence[int]) -> list[str]:
    """The numbers, each once and in order, as a command takes them: those in a row as 3-17."""
    found: list[list[int]] = []
    for row in sorted(set(rows)):
        if found and row == found[-1][-1] + 1:
            found[-1][1:] = [row]
        else:
            found.append([row])
    return ["-".join(map(str, ends)) for ends in found]
