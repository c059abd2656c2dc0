"""Rows and a model that are given in memory, checked before they are reviewed."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from corrigible.data.dataset import all_labels, all_rows, as_dataset, labelled, rows_of, shape_of, task_of
from corrigible.data.protocol import Dataset, columns_of, tokens_of
from corrigible.errors import DataError, FeedbackError, UnsupportedModelError
from corrigible.explanations.features import separate_columns
from corrigible.said import Features, Feedback, Pixels
from corrigible.workflow.row_texts import outputs_of

COLUMN = "column {}"
"""What a column without a name is called, with its number from 0."""


@dataclass(frozen=True)
class Given:
    """Rows as they were given, and as they are shown."""

    data: Dataset
    shown: Dataset
    """The same rows; columns without names are numbered."""

    def as_given(self, said: Feedback) -> Feedback:
        """The feedback in terms of the rows that were given: numbered columns are a mask."""
        if self.shown is self.data or not isinstance(said.region, Features):
            return said
        mask = np.zeros(shape_of(self.data), dtype=bool)
        for name in said.region.names:
            mask[_number(name, len(mask))] = True
        return replace(said, region=Pixels(mask))

    def as_shown(self, said: Feedback) -> Feedback:
        """The feedback in terms of the rows that are shown."""
        if self.shown is self.data or not isinstance(said.region, Pixels):
            return said
        places = np.flatnonzero(said.region.mask)
        return replace(said, region=Features(tuple(COLUMN.format(place) for place in places)))


def given(data: Any) -> Given:
    """The rows that `corrigible.correct` takes, for a person to look at.

    Raises:
        DataError: they cannot be used, or are none of images, rows of a table and texts.
    """
    found = labelled(as_dataset(data))
    shape = shape_of(found)
    if tokens_of(found) is not None or columns_of(found) is not None or len(shape) == 3:
        return Given(found, found)
    if len(shape) != 1:
        raise DataError(
            f"each row has shape {shape}; expected an image (channel, height, width), the columns of a table, or a "
            "text from corrigible.text_data"
        )
    columns = separate_columns([COLUMN.format(place) for place in range(shape[0])])
    return Given(found, replace(all_rows(found), columns=columns))


def require_model_of(model: nn.Module, data: Dataset) -> None:
    """Check on one row that the model takes such rows, and that its classes are those of the labels.

    Raises:
        UnsupportedModelError: it does not.
    """
    try:
        outputs = outputs_of(model, rows_of(data, torch.tensor([0])))
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise UnsupportedModelError(
            f"the model does not take rows of shape {shape_of(data)} ({said[:200]}); give rows as it was trained on"
        ) from error
    if task_of(data).name != "classes":
        return
    count, last = max(2, outputs.shape[1]), int(all_labels(data).max())
    if last >= count:
        raise UnsupportedModelError(
            f"the labels go up to {last} and the model has {count} classes, 0 to {count - 1}; give the model that was "
            "trained on these labels"
        )


def _number(name: str, count: int) -> int:
    found = re.fullmatch(COLUMN.format(r"(\d{1,9})"), name)
    if found is None or int(found[1]) >= count:
        raise FeedbackError(
            f"the table has no feature {name!r}; expected {COLUMN.format(0)} to {COLUMN.format(count - 1)}"
        )
    return int(found[1])
