"""The verbs about feedback: add, import, export, list, retract."""

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import torch

from corrigible.data.dataset import Labelled, all_labels, rows_of, shape_of, task_of
from corrigible.data.image_folder import ImageFolder
from corrigible.data.image_masks import masks_for, polarities_in
from corrigible.data.npy import array_of, npy_file
from corrigible.data.protocol import Dataset, class_names_of
from corrigible.data.table import OF_CLASSES
from corrigible.data.tokens import tokenize
from corrigible.errors import FeedbackError, unknown
from corrigible.feedback.exchange import from_json, to_json
from corrigible.feedback.extent import doubtful_extents, empty_masks
from corrigible.feedback.masks import fingerprint, marks_of
from corrigible.feedback.phrases import phrase_rows
from corrigible.feedback.wording import described
from corrigible.files import MOST_FEEDBACK, read_text
from corrigible.folders import write_atomically
from corrigible.recipe import load_data, outline_of
from corrigible.study import Study, open_study
from corrigible.types import Features, Feedback, Phrase, Pixels, Region
from corrigible.workflow.records import Finished, Listed, Noted


def add_feedback(
    folder: Path,
    *,
    features: tuple[str, ...] = (),
    box: tuple[int, int, int, int] | None = None,
    mask: Path | None = None,
    phrase: str = "",
    tokens: tuple[int, ...] = (),
    row: int | None = None,
    label: int | str | None = None,
    split: str = "train",
    polarity: str = "irrelevant",
    author: str = "",
    note: str = "",
) -> Iterator[Noted]:
    """Store feedback on one region: for one row, for the rows of a class, or if neither is given for every row.

    Args:
        features: names of a table's features.
        box: top, left, height and width of a rectangle in pixels.
        mask: an ``.npy`` file with a boolean array of the shape of one input.
        phrase: words of a text, marked wherever they stand side by side.
        tokens: places of words in a text, counted from 0; punctuation marks count as words.
        label: a class, by its name or its number.

    Raises:
        FeedbackError: an unknown class, a region or row that does not fit the data, or words that stand in no row that
            it is about.
    """
    if row is not None and label is not None:
        raise FeedbackError(f"row {row} and class {label} are given; say it about one row or about a class")
    study = open_study(folder)
    # A rule about features needs no rows; only where classes are not yet known, they are learned from the table.
    data = outline_of(study.recipe, study.folder) if features and row is None else None
    if data is None or (label is not None and not class_names_of(data)):
        data = load_data(study.recipe, study.folder, split)
    scope = "row" if row is not None else "class" if label is not None else "dataset"
    said = Feedback(
        _region(features, box, mask, phrase, tokens, data),
        polarity=polarity,  # type: ignore[arg-type]
        row=row,
        split=split,
        scope=scope,  # type: ignore[arg-type]
        label=None if label is None else _class_of(label, data, split),
        author=author,
        note=note,
    )
    yield Noted("feedback add", tuple(_store(study, [said], data)), doubts=_doubts([said], data))


def import_feedback(folder: Path, source: Path) -> Iterator[Noted]:
    """Store everything in a JSON file that ``feedback export`` wrote, or in a folder of masks: all of it or nothing.

    What the store holds already, retracted or not, is not stored again.

    Masks are image files named like the study's images: ``<source>/irrelevant/<split>/<class>/<name>.png``, or
    ``relevant``; each marks its image where its pixels are above 0.

    Raises:
        FeedbackError: the file is not feedback, or does not fit the data.
        DataError: a mask without a matching image.
    """
    study = open_study(folder)
    said, doubts = _masks_said(study, source) if source.is_dir() else _json_said(study, source)
    with study.feedback() as store:
        numbers = store.add_new(said)
    yield Noted("feedback import", tuple(numbers), len(said) - len(numbers), tuple(doubts))


def _masks_said(study: Study, source: Path) -> tuple[list[Feedback], list[str]]:
    """What the masks say, and what to check about it; a mask that marks nothing says nothing."""
    said: list[Feedback] = []
    empty, doubts = list[str](), list[str]()
    for polarity, split in polarities_in(source):
        data = load_data(study.recipe, study.folder, split)
        if isinstance(data, Labelled):
            data = data.rows
        if not isinstance(data, ImageFolder):
            raise FeedbackError(f"split {split!r} is not kept as image files; expected masks as JSON or --mask")
        found = []
        for row, mask in masks_for(data, source, polarity, split):
            region, printed = Pixels(mask.numpy()), _print_of(data, row)
            note = f"mask of {data.files[row]}"
            if not region.mask.any():
                empty.append(data.files[row])
                continue
            found.append(Feedback(region, polarity, row, split, fingerprint=printed, note=note))
        doubts += _doubts(found, data)
        said += found
    return said, doubts + empty_masks(empty)


def _doubts(feedback: list[Feedback], data: Dataset) -> tuple[str, ...]:
    """What a person should check about the extent of the feedback."""
    return tuple(doubt.words for doubt in doubtful_extents(feedback, data))


def _json_said(study: Study, source: Path) -> tuple[list[Feedback], list[str]]:
    try:
        text = read_text(source, most=MOST_FEEDBACK)
    except (OSError, UnicodeDecodeError) as error:
        raise FeedbackError(
            f"cannot read {source} ({error}); expected the JSON of `corrigible feedback export`"
        ) from error
    feedback = from_json(text)
    doubts: list[str] = []
    for split in {said.split for said in feedback}:
        of_split = [said for said in feedback if said.split == split]
        data = load_data(study.recipe, study.folder, split)
        _check(of_split, data)
        doubts += _doubts(of_split, data)
    return feedback, doubts


def export_feedback(folder: Path, target: Path) -> Iterator[Finished]:
    """Write all feedback that has not been retracted as JSON."""
    study = open_study(folder)
    with study.feedback() as store:
        text = to_json([said for _, said in store.active()])
    write_atomically(target, text.encode())
    yield Finished("feedback export", str(target))


def list_feedback(folder: Path) -> Iterator[Listed]:
    """List all feedback ever given, oldest first."""
    with open_study(folder).feedback() as store:
        for record in store.records():
            said = record.feedback
            yield Listed(
                record.id,
                said.scope,
                said.polarity,
                said.split,
                said.row,
                said.label,
                described(said.region),
                said.author,
                said.at.isoformat(timespec="seconds") if said.at else "",
                said.note,
                record.retraction is not None,
            )


def retract_feedback(folder: Path, number: int, *, author: str = "", note: str = "") -> Iterator[Noted]:
    """Retract one piece of feedback; it stays in the history."""
    with open_study(folder).feedback() as store:
        store.retract(number, author=author, note=note)
    yield Noted("feedback retract", (number,))


def _class_of(label: int | str, data: Dataset, split: str) -> int:
    """The number of the class with this name, or the number itself; names come first."""
    _require_classes(data)
    names = class_names_of(data)
    if label in names:
        return names.index(str(label))
    try:
        return int(label)
    except ValueError:
        known = names or tuple(map(str, all_labels(data).unique().tolist()))
        raise FeedbackError(f"split {split!r}: {unknown('class', str(label), known)}") from None


def _check(feedback: list[Feedback], data: Dataset) -> None:
    """Raises FeedbackError for feedback that does not fit the data."""
    marks_of(feedback, data)
    classes: set[int] = set()
    if any(said.label is not None for said in feedback):
        _require_classes(data)
        classes = set(all_labels(data).tolist()) | set(range(len(class_names_of(data))))
    for said in feedback:
        if said.label is not None and said.label not in classes:
            known = ", ".join(map(str, sorted(classes)))
            raise FeedbackError(f"feedback on class {said.label}; the split {said.split!r} has {known}")
        if isinstance(said.region, Phrase) and not phrase_rows(said, data):
            where = "no row" if said.scope == "dataset" else f"no row of class {said.label}"
            raise FeedbackError(
                f"{described(said.region)!r} stands in {where} of split {said.split!r}; check its spelling"
            )


def _require_classes(data: Dataset) -> None:
    task = task_of(data)
    if task.name not in OF_CLASSES:
        raise FeedbackError(
            f"feedback on the rows of one label, but the labels of the task {task.name!r} are no classes; say it about "
            "single rows or about every row"
        )


def _store(study: Study, feedback: list[Feedback], data: Dataset) -> list[int]:
    """Check the feedback against the rows it is about, add their fingerprints, and store all of it."""
    _check(feedback, data)
    printed = [said if said.row is None else replace(said, fingerprint=_print_of(data, said.row)) for said in feedback]
    with study.feedback() as store:
        return store.add_all(printed)


def _print_of(data: Dataset, row: int) -> str:
    return fingerprint(rows_of(data, torch.tensor([row])).x[0])


def _region(
    features: tuple[str, ...],
    box: tuple[int, int, int, int] | None,
    mask: Path | None,
    phrase: str,
    tokens: tuple[int, ...],
    data: Dataset,
) -> Region:
    if sum(bool(given) for given in (features, box, mask, phrase, tokens)) != 1:
        raise FeedbackError("give exactly one region: feature names, a box, a mask file, a phrase, or places of words")
    if features:
        return Features(features)
    if box:
        return _box(box, shape_of(data))
    if phrase:
        return _phrase(phrase)
    if tokens:
        return _places(tokens, shape_of(data))
    assert mask is not None
    return _from_file(mask, shape_of(data))


def _phrase(text: str) -> Region:
    words = tuple(tokenize(text))
    if not words:
        raise FeedbackError(f"the phrase {text!r} holds no words")
    return Phrase(words)


def _places(places: tuple[int, ...], shape: tuple[int, ...]) -> Region:
    if len(shape) != 2:
        raise FeedbackError(
            f"places of words {places} for rows of shape {shape}, which are not texts; mark other inputs"
        )
    outside = [place for place in places if not 0 <= place < shape[0]]
    if outside:
        raise FeedbackError(f"place {outside[0]}; a text has places 0 to {shape[0] - 1}")
    return Pixels(np.isin(np.arange(shape[0]), places))


def _from_file(mask: Path, shape: tuple[int, ...]) -> Region:
    try:
        with npy_file(mask) as (header, file):
            # Checked before memory is asked for.
            if header.dtype != np.bool_ or prod(header.shape) > prod(shape):
                found = f"{header.dtype}" if header.dtype != np.bool_ else f"shape {header.shape}"
                raise FeedbackError(f"mask {mask} holds {found}; expected one boolean array of shape {shape}")
            return Pixels(array_of(header, file))
    except (OSError, ValueError) as error:
        if isinstance(error, FeedbackError):
            raise
        raise FeedbackError(f"cannot read mask {mask} ({error}); expected an .npy file of booleans") from error


def _box(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> Region:
    top, left, height, width = box
    if (
        len(shape) != 3
        or min(top, left) < 0
        or min(height, width) < 1
        or top + height > shape[1]
        or left + width > shape[2]
    ):
        raise FeedbackError(f"box {box} (top, left, height, width) does not lie inside inputs of shape {shape}")
    mask = torch.zeros(shape[1:], dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return Pixels(mask.numpy())
