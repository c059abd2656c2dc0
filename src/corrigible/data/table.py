"""Encode data frames of numbers and categories as tensors for a network."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from corrigible.data.cells import Blocks, cells_of
from corrigible.data.class_order import MISSING as MISSING
from corrigible.data.column_reading import TextOf
from corrigible.data.dataset import TensorData
from corrigible.data.frames import as_frame
from corrigible.data.table_columns import named
from corrigible.data.table_encoder import OF_CLASSES as OF_CLASSES
from corrigible.data.table_encoder import TableEncoder, roles_of
from corrigible.data.table_encoder import from_json as from_json
from corrigible.data.table_encoder import to_json as to_json
from corrigible.data.table_encoding import encoded, inputs_in
from corrigible.data.table_learning import learned
from corrigible.data.table_roles import require_columns
from corrigible.errors import DataError
from corrigible.tasks import TaskChoice


def encoder_of(
    frame: Any,
    *,
    target: str | Sequence[str] | None,
    group: str | Sequence[str] | None = None,
    weight: str | None = None,
    exposure: str | None = None,
    query: str | None = None,
    drop: Sequence[str] = (),
    task: str = "classes",
) -> TableEncoder:
    """The encoder for frames like this one, learned from it.

    Columns of numbers are standardised by their mean and population standard deviation; missing numbers become the
    mean, and a column ``name=missing`` marks them. Columns of booleans, text or categories become one-hot columns, with
    an additional category for missing values if there are any. Integer columns are numbers: convert them to text to
    make them categories. Other numbers that are kept as text, such as 1,234.5, are numbers, and so are all beside words
    for unknown numbers, such as ?; a column of the type category is never read as numbers. Constant columns are
    dropped; ``notes`` says what was read how. The group column is also a feature unless ``drop`` names it; the columns
    of weight, exposure and query are not features.

    Args:
        frame: a data frame of pandas, Polars, PyArrow or another library that narwhals knows.
        target: the column with the labels, or for several labels one column for each; None if the frame holds features
            alone, which `inputs_of` then encodes.
        group: the column of the sensitive attribute. Several form groups by their intersections, and stand each by
            itself in ``extra``; one of more than 20 different numbers, such as an age, stands there alone.
        exposure: the column with the exposure of each row, for counts and costs.
        query: the column that says which rows are ranked among each other.
        task: the name of the task that the labels are for.

    Raises:
        DataError: no rows, a column that is absent, repeated, infinite, unknown everywhere or of another type, too many
            categories, a missing label, a target or group that is not a class, several targets for a task of one, no
            feature left.
    """
    roles = roles_of(target, group=group, weight=weight, exposure=exposure, query=query, drop=drop, task=task)
    frame = named(as_frame(frame))
    require_columns(list(frame.columns), (*roles.read, *roles.drop))
    if not len(frame):
        raise DataError("the training table has no rows; expected at least one")
    names = [name for name in frame.columns if name in roles.read or roles.may_be_feature(name)]
    texts: dict[str, TextOf] = {
        name: "categories" if isinstance(frame[name].dtype, pd.CategoricalDtype) else "frame" for name in names
    }
    return learned([{name: cells_of(frame[name]) for name in names}], roles, texts=texts)


def encode(frame: Any, encoder: TableEncoder, *, task: TaskChoice | None = None) -> TensorData:
    """The frame's rows as float32 columns, with labels and group numbers; other columns are ignored.

    A category that the encoder has not seen gives zeros in all columns of its feature. A missing number in a column
    that was complete in training becomes the training mean. Both are logged with the column's name.

    Args:
        frame: a data frame of pandas, Polars, PyArrow or another library that narwhals knows.
        task: what the labels mean, for rows beside the training rows the `Task` of those; None for the encoder's.

    Raises:
        DataError: no rows, an absent column, an infinite number, text in a column of numbers, an unknown class or
            group.
    """
    if not encoder.targets:
        raise DataError("the encoder was learned from a table without labels; expected one with target=…")
    frame = named(as_frame(frame))
    absent = [name for name in encoder.targets if name not in frame.columns]
    if absent:
        raise DataError(
            f"no column {absent[0]!r}, which held the labels in training; expected it in other rows too: if they have "
            "no labels, corrigible.data.table.inputs_of(frame, encoder) gives their x"
        )
    require_columns(list(frame.columns), encoder.read)
    if not len(frame):
        raise DataError("the table has no rows; expected at least one")
    names = [*encoder.read, *([encoder.weight] if encoder.weight in frame.columns else [])]
    blocks: Blocks = [{name: cells_of(frame[name]) for name in names if name is not None}]
    return encoded(blocks, encoder, task=task)


def inputs_of(frame: Any, encoder: TableEncoder) -> Float[Tensor, " row column"]:
    """The features of the frame's rows as float32 columns, as `encode` gives them; no labels are needed.

    Raises:
        DataError: as `encode`.
    """
    frame = named(as_frame(frame))
    names = [feature.name for feature in encoder.features]
    require_columns(list(frame.columns), names)
    if not len(frame):
        raise DataError("the table has no rows; expected at least one")
    return inputs_in([{name: cells_of(frame[name]) for name in names}], encoder)
