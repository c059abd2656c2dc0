"""The verb ``influence``: which training rows taught what a model says of rows, and which taught against it."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from corrigible.comparison import spoken
from corrigible.data.protocol import Dataset, files_of
from corrigible.errors import FeedbackError
from corrigible.models.devices import device_named
from corrigible.printable import plural
from corrigible.progress import begun
from corrigible.protocols.influence.influence import influence as influence_of
from corrigible.protocols.influence.influenced import Influence, RowInfluence
from corrigible.recipe import load_data
from corrigible.study import Run, Study, open_study
from corrigible.workflow.forgotten import with_others_in_place
from corrigible.workflow.instructive_rows import instructive_rows
from corrigible.workflow.looking_records import Taught, TaughtBy
from corrigible.workflow.minimised import Minimised, minimised, start_of
from corrigible.workflow.records import Influenced, Record
from corrigible.workflow.reviews.subject import Subject, subject_of
from corrigible.workflow.row_names import row_of_file, split_of_file
from corrigible.workflow.row_texts import outputs_of
from corrigible.workflow.taught_rows import sides, titles, with_predicted_labels

NUM_ROWS = 3
"""Rows that are asked about if none is named."""
FILE = "influence.json"


@dataclass(frozen=True)
class Question:
    """Whose influence on what is asked about."""

    study: Study
    source: Run
    subject: Subject
    split: str
    learned: Dataset
    """The training rows by their numbers, others in the place of forgotten ones."""
    minimised: Minimised
    how: dict[str, Any]
    """Settings of `corrigible.influence`."""

    @property
    def data(self) -> Dataset:
        return self.subject.data[self.split]


def influence(
    folder: Path,
    *,
    run: str | None = None,
    rows: Sequence[int] = (),
    files: Sequence[str] = (),
    split: str | None = None,
    method: str = "last_layer",
    n: int = 5,
    nearest: int = 100,
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Record]:
    """Say which training rows taught a run's model what it predicts of some rows, and which taught against it.

    What the run minimised counts: penalties with the weights that were chosen, their feedback, weight decay.

    Args:
        rows: positions in the split; the surest wrong predictions, or the largest errors, if none is named.
        files: image files, ``test/cat/043.jpg``, in place of rows; they also name the split.
        split: None for that of the recipe's [evaluate].
        method: as `corrigible.influence` takes it.
        n: training rows of each kind that are listed.
        nearest: how many training rows are asked, those nearest to each row in latent space; 0 for all.

    Raises:
        FeedbackError: a row or file that is not there.
        StudyError: a run of another verb than train, correct and forget.
        RecipeError, UnsupportedModelError: as `corrigible.influence`.
    """
    study = open_study(folder)
    places = [split_of_file(study, file) for file in files]
    if len({place for place, _ in places}) > 1:
        raise FeedbackError("files of several splits; expected files of one")
    split = places[0][0] if places else split
    asked = question(study, run, split, method=method, nearest=nearest, seed=seed, device=device)
    chosen = _rows(asked, rows, [file for _, file in places])
    begun("which rows taught it")
    queries, names = with_predicted_labels(asked.subject, asked.subject.rows(asked.split, chosen))
    origin = {"parent": asked.source.name, "seed": asked.how["seed"], "device": device, "split": asked.split}
    with study.new_run("influence", **origin, method=method, nearest=nearest) as draft:
        found = influence_of(asked.subject.model, asked.learned, queries, **asked.how)
        told = list(_told(asked, found, chosen, names, n))
        doubts = (*asked.minimised.doubts, *found.warnings)
        facts = {"rows": [dataclasses.asdict(one) for one in told], "doubts": doubts, **_facts(found)}
        draft.write_json(FILE, facts)
    assert draft.published is not None
    yield from told
    yield Influenced(
        "influence", str(draft.published), result=_result(asked, len(chosen)), next=_next(folder), doubts=doubts
    )


def question(
    study: Study, run: str | None, split: str | None, *, method: str, nearest: int, seed: int | None, device: str
) -> Question:
    """What is asked about, checked before anything is computed.

    Raises:
        StudyError, DataError: as `influence`.
    """
    source = study.run_named(run) if run else study.latest("train", "correct")
    subject = subject_of(study, source)
    split = split or study.recipe.evaluate.split
    if split not in subject.data:
        subject = replace(subject, data={**subject.data, split: load_data(study.recipe, study.folder, split)})
    there = device_named(device)
    subject = replace(subject, model=subject.model.to(there))
    gone = subject.forgotten
    learned = with_others_in_place(subject.first, torch.tensor(sorted(gone))) if gone else subject.first
    known = minimised(study, source, learned, gone)
    how = {**known.settings, "method": method, "nearest": min(nearest, len(learned)) or None}
    how |= {} if seed is None else {"seed": seed}
    if method == "replay":
        start: nn.Module = start_of(study, source).to(there)
        how |= {"start": start, "nearest": None}
    return Question(study, source, subject, split, learned, known, how)


def _rows(asked: Question, rows: Sequence[int], files: Sequence[str]) -> list[int]:
    data = asked.data
    chosen = [*rows, *(row_of_file(file, files_of(data)) for file in files)]
    wrong = [row for row in chosen if row >= len(data)]
    if wrong:
        raise FeedbackError(f"row {wrong[0]}; {asked.split} has rows 0 to {len(data) - 1}")
    if chosen:
        return list(dict.fromkeys(chosen))
    return list(instructive_rows(outputs_of(asked.subject.model, data), data)[0].rows[:NUM_ROWS])


def _told(asked: Question, found: Influence, rows: Sequence[int], names: Sequence[str], n: int) -> Iterator[Taught]:
    subject, split = asked.subject, asked.split
    said, files = subject.said(split, subject.rows(split, rows), rows), files_of(asked.data)
    own = split == next(iter(subject.data))
    for query, (row, name) in enumerate(zip(rows, names, strict=True)):
        strongest = sides(found, query, n, leaving_out=subject.forgotten | ({row} if own else set()))
        helpful, harmful = (_listed(subject, side) for side in strongest)
        about = {key: said[query][key] for key in ("label", "prediction")}
        both: dict[str, Any] = {"titles": titles(subject, name), "unit": found.unit}
        yield Taught(split, row, **about, helpful=helpful, harmful=harmful, **both, file=files[row] if files else "")


def _listed(subject: Subject, found: Sequence[RowInfluence]) -> tuple[TaughtBy, ...]:
    if not found:
        return ()
    split, index = next(iter(subject.data)), [one.row for one in found]
    said, files = subject.said(split, subject.rows(split, index), index), files_of(subject.first)
    return tuple(
        TaughtBy(one.row, one.value, about["label"], about["prediction"], files[one.row] if files else "")
        for one, about in zip(found, said, strict=True)
    )


def _facts(found: Influence) -> dict[str, Any]:
    """What was assumed and found beside the values."""
    names = ("unit", "damping", "smallest_eigenvalue", "relative_gradient_norm", "residual", "difference", "kinks")
    return {name: getattr(found, name) for name in names}


def _result(asked: Question, num_rows: int) -> str:
    nearest = asked.how["nearest"]
    whom = f"the {plural(nearest, 'training row')} nearest to each" if nearest else "all training rows"
    what = f"{plural(num_rows, 'row')} of {asked.split}"
    return f"influence by {spoken(asked.how['method'])} in {asked.source.name}: of {whom}, on {what}"


def _next(folder: Path) -> tuple[str, ...]:
    return (f"corrigible review {shlex.quote(str(folder))}  # look at these rows: labels may be wrong",)
