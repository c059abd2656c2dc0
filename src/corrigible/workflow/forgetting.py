"""The verb that forgets training rows: the model from then on, and all later runs, are without them."""

import dataclasses
import shlex
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
from corrigible.errors import DataError, FeedbackError, RecipeError
from corrigible.models.devices import device_named
from corrigible.models.weights import save_weights
from corrigible.progress import begun
from corrigible.protocols.unlearning.forgotten_rows import forgotten_rows
from corrigible.protocols.unlearning.unlearned import Unlearned
from corrigible.protocols.unlearning.unlearning import unlearning
from corrigible.run_records import FORGET
from corrigible.study import Draft, Run, Study, open_study
from corrigible.workflow.forgotten import Training, training
from corrigible.workflow.making import load_model, logged
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Finished, Forgotten, Record, Started
from corrigible.workflow.row_hashes import hashed_columns, row_hashes
from corrigible.workflow.tries import option_words
from corrigible.workflow.verdicts import FAILED

MOST_TEXT = 2000


def forget(
    folder: Path,
    *,
    why: str,
    rows: Sequence[int | range] = (),
    label: str | None = None,
    method: str = "hybrid",
    author: str = "",
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Record]:
    """Forget training rows: a run with a model that has forgotten them, which takes the trained model's place.

    Corrections after it start from that model, and no later run learns from the rows. The run records positions and
    hashes of the rows, not the rows. Where the latest forget run lost too much on kept rows, the same rows can be
    forgotten again, from the model before it.

    Args:
        why: the reason, which is recorded.
        rows: positions of training rows, from 0, or ranges of them.
        label: instead of rows, the name or number of a class.
        method: a name in ``UNLEARNING``.

    Raises:
        StudyError: nothing was trained.
        FeedbackError: no reason, or a text that is too long.
        RecipeError, DataError: as `corrigible.unlearn`, neither rows nor a label or both, or rows forgotten before.
    """
    _require_texts(why=why, author=author)
    study = open_study(folder)
    parent, known, index = _asked(study, rows, label)
    named = ranges(index.tolist()) if label is None else []
    given = {"rows": named, "label": label, "method": method, "why": why, "author": author}
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
    yield _finished(folder, draft, record)


def _finished(folder: Path, draft: Draft, record: Unlearned) -> Finished:
    if not record.ruin:
        return Forgotten(FORGET, str(draft.published), result=record.line, next=next_steps(folder, FORGET))
    other = {**draft.record["options"], "method": "fine_tuned" if record.method == "hybrid" else "hybrid"}
    command = " ".join([f"corrigible forget {shlex.quote(str(folder))}", *option_words(other)])
    said = f"{record.line}. Forget the same rows with another --method: that starts from {draft.record['parent']}"
    return Forgotten(FORGET, str(draft.published), result=said, next=(command,), outcome=FAILED)


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


def _asked(
    study: Study, rows: Sequence[int | range], label: str | None
) -> tuple[Run, Training, Int[Tensor, " forgotten"]]:
    """The run to start from, its training rows, and the positions of those to forget, none of which it forgot before.

    Where the latest run forgot just these rows and lost too much, the run to start from is that before it.
    """
    if bool(rows) == (label is not None):
        raise RecipeError("expected either --rows or --label, which name the training rows to forget")
    parent, known = study.latest("train"), training(study)
    wanted = None if label is not None else _whole(rows, len(known.rows))
    hint = "leave it out"
    if parent.verb == FORGET and parent.record["forgotten"]["ruin"]:
        before = training(study, without=parent.name)
        index = forgotten_rows(before.rows, wanted, label=label)
        index = index[~torch.isin(index, before.forgotten)]
        if {*index.tolist(), *before.forgotten.tolist()} == set(known.forgotten.tolist()):
            return study.run_named(str(parent.record["parent"])), before, index
        hint += f", or name just those that {parent.name}, which lost too much, has forgotten"
    index = forgotten_rows(known.rows, wanted, label=label)
    is_gone = torch.isin(index, known.forgotten)
    if label is None and bool(is_gone.any()):
        named = rows_named(index[is_gone].tolist(), files_of(known.rows), most=3)
        raise DataError(f"{named} of train was forgotten already; {hint}")
    return parent, known, index[~is_gone]


def _whole(rows: Sequence[int | range], num_rows: int) -> list[int]:
    """Every row that is named; DataError for a row that there is not, before a long range is written out."""
    spans = [one if isinstance(one, range) else range(one, one + 1) for one in rows]
    for span in spans:
        if span and not (min(span[0], span[-1]) >= 0 and max(span[0], span[-1]) < num_rows):
            outside = min(span[0], span[-1]) if min(span[0], span[-1]) < 0 else max(span[0], span[-1])
            raise DataError(f"there is no row {outside}; expected 0 to {num_rows - 1}")
    return [row for span in spans for row in span]


def ranges(rows: Sequence[int]) -> list[str]:
    """The numbers, each once and in order, as a command takes them: those in a row as 3-17."""
    found: list[list[int]] = []
    for row in sorted(set(rows)):
        if found and row == found[-1][-1] + 1:
            found[-1][1:] = [row]
        else:
            found.append([row])
    return ["-".join(map(str, ends)) for ends in found]
