"""Feedback about rows of the data: what is marked is looked up in them and checked against them."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from corrigible.data.dataset import all_labels, rows_of, shape_of, task_of
from corrigible.data.image_decoding import SUFFIXES
from corrigible.data.image_masks import picture_mask
from corrigible.data.naming import class_number
from corrigible.data.npy import array_of, npy_file
from corrigible.data.protocol import Dataset, class_names_of, names_of
from corrigible.data.table import OF_CLASSES
from corrigible.errors import FeedbackError
from corrigible.feedback.boxes import box_region
from corrigible.feedback.extent import doubtful_extents
from corrigible.feedback.masks import fingerprint, marks_of
from corrigible.feedback.phrases import phrase_in, phrase_rows
from corrigible.recipe import load_data
from corrigible.study import Study
from corrigible.types import Features, Feedback, Phrase, Pixels, Region


def said_and_stored(
    study: Study, region: tuple[str, Any], label: int | str | None, about: Mapping[str, Any]
) -> tuple[list[int], tuple[str, ...]]:
    """The number that the store gave to the feedback, and what a person should check about it.

    Args:
        region: the option that names it, and what was given.

    Raises:
        FeedbackError: as `add_feedback`.
    """
    row, split = about["row"], about["split"]
    data = load_data(study.recipe, study.folder, split)
    scope = "row" if row is not None else "class" if label is not None else "dataset"
    number = None if label is None else _class_of(label, data)
    said = Feedback(_region(*region, data, row), scope=scope, label=number, **about)  # type: ignore[arg-type]
    check([said], data)
    printed = said if row is None else replace(said, fingerprint=print_of(data, row))
    with study.feedback() as store:
        return [store.add(printed)], doubts_of([said], data)


def doubts_of(feedback: list[Feedback], data: Dataset) -> tuple[str, ...]:
    """What a person should check about the extent of the feedback."""
    return tuple(doubt.words for doubt in doubtful_extents(feedback, data))


def _class_of(label: int | str, data: Dataset) -> int:
    """The number of the class with this name, or the number itself where classes have no names that are numbers."""
    _require_classes(data)
    names = class_names_of(data)
    return class_number(label, names or tuple(map(str, range(int(all_labels(data).max()) + 1))))


def check(feedback: list[Feedback], data: Dataset) -> None:
    """Raises FeedbackError for feedback that does not fit the data."""
    marks_of(feedback, data)
    classes: set[int] = set()
    if any(said.label is not None for said in feedback):
        _require_classes(data)
        classes = set(all_labels(data).tolist()) | set(range(len(class_names_of(data))))
    for said in feedback:
        if said.label is not None and said.label not in classes:
            known = ", ".join(map(names_of(data).label, sorted(classes)))
            raise FeedbackError(f"feedback on class {said.label}; the split {said.split!r} has {known}")
        if isinstance(said.region, Phrase) and not phrase_rows(said, data):
            where = "no row" + (f" of {names_of(data).place(label=said.label)}" if said.scope == "class" else "")
            raise FeedbackError(f"{str(said.region)!r} stands in {where} of split {said.split!r}; check its spelling")


def _require_classes(data: Dataset) -> None:
    task = task_of(data)
    if task.name not in OF_CLASSES:
        raise FeedbackError(
            f"feedback on the rows of one label, but the labels of the task {task.name!r} are no classes; say it about "
            "single rows or about every row"
        )


def print_of(data: Dataset, row: int) -> str:
    return fingerprint(rows_of(data, torch.tensor([row])).x[0])


def print_of_row(study: Study, split: str, row: int) -> str:
    """The hash of one row of a study.

    Raises:
        FeedbackError: the data has no such row.
    """
    data = load_data(study.recipe, study.folder, split)
    if not 0 <= row < len(data):
        raise FeedbackError(f"there is no row {row}; the split {split!r} has rows 0 to {len(data) - 1}")
    return print_of(data, row)


def _region(option: str, given: Any, data: Dataset, row: int | None) -> Region:
    match option:
        case "--feature":
            return Features(given)
        case "--box":
            return box_region(given, shape_of(data))
        case "--phrase":
            return phrase_in(given)
        case "--token":
            return _places(given, shape_of(data))
        case _ if given.suffix.lower() in SUFFIXES:
            return Pixels(picture_mask(given, data, row).numpy())
        case _:
            return _from_file(given, shape_of(data))


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
    except FileNotFoundError as error:
        raise FeedbackError(f"there is no file {mask}; expected an .npy file of booleans") from error
    except (OSError, ValueError) as error:
        if isinstance(error, FeedbackError):
            raise
        raise FeedbackError(
            f"cannot read mask {mask} ({error}); expected an image, or an .npy file of booleans"
        ) from error
