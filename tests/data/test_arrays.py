"""Arrays and frames as numbers: one reading for every function that takes rows."""

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible.data.arrays import columns_in, inputs, numbers
from corrigible.data.dataset import as_dataset
from corrigible.errors import DataError
from corrigible.explanations.inputs import checked_rows

Y = np.array([0, 1, 0, 1])
ROWS = [[1.5, 1], [1.7, 0], [np.nan, 1], [2.0, 0]]
FRAMES = {
    "dummies": pd.DataFrame({"height": [1.5, 1.7, np.nan, 2], "tall": [True, False, True, False]}),
    "nullable": pd.DataFrame(
        {"height": pd.array([1.5, 1.7, None, 2], "Float64"), "tall": pd.array([True, False, True, False], "boolean")}
    ),
    "objects": pd.DataFrame({"height": [1.5, 1.7, None, 2], "tall": [1, 0, 1, 0]}, dtype=object),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_true_is_1_and_what_is_missing_is_nan(frame):
    assert np.array_equal(inputs(frame).numpy(), ROWS, equal_nan=True)


@pytest.mark.parametrize(
    "column", [["X", "Y", "X", "Y"], pd.Categorical(["X", "Y", "X", "Y"]), pd.to_datetime([0] * 4)]
)
def test_a_column_that_is_no_number_is_named(column):
    frame = pd.DataFrame({"height": [1.5, 1.7, 1.8, 2], "city": column})
    for read in (lambda: checked_rows(frame, None), lambda: as_dataset((frame, Y))):
        with pytest.raises(DataError, match="column 'city' of x"):
            read()


def test_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="2 columns 'a'"):
        columns_in(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_pictures_of_bytes_are_refused_through_every_door(dtype):
    x = np.arange(4 * 16).reshape(4, 1, 4, 4).astype(dtype)
    rows = [(torch.from_numpy(picture), int(label)) for picture, label in zip(x, Y, strict=True)]
    for read in (
        lambda: checked_rows(x, None),
        lambda: checked_rows(torch.from_numpy(x), None),
        lambda: as_dataset((x, Y)),
        lambda: as_dataset((torch.from_numpy(x), Y)),
        lambda: as_dataset(rows)[0] and checked_rows(torch.stack([row[0] for row in rows]), None),
    ):
        with pytest.raises(DataError, match="x / 255 for 0 to 1"):
            read()


def test_tables_of_bytes_and_pictures_of_0_and_1_are_numbers():
    assert inputs(np.full((2, 3), 200, np.uint8)).tolist() == [[200] * 3] * 2
    assert inputs(np.ones((2, 1, 4, 4), np.uint8)).shape == (2, 1, 4, 4)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (["a", "b"], "pandas.factorize"),
        ([[1], [1, 2]], "rows differ in shape"),
        (torch.eye(2).to_sparse(), "\\.to_dense"),
        (torch.ones(2, dtype=torch.complex64), "complex numbers"),
    ],
)
def test_labels_that_are_no_numbers_are_answered_with_the_remedy(y, words):
    with pytest.raises(DataError, match=words):
        numbers(y, "y")
