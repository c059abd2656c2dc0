"""Data sets from what people have, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible.data.dataset import TensorData, all_labels, all_rows, as_dataset, require_classes, rows_of
from corrigible.data.protocol import columns_of
from corrigible.errors import DataError
from corrigible.types import Columns

X = [[0.5, 1.0], [2.0, -1.0], [3.0, 0.0]]
Y = [0, 2, 1]


class Own:
    """A map-style data set like those of PyTorch."""

    def __init__(self, rows: list) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int):
        return self.rows[row]


@pytest.mark.parametrize("kind", [np.array, pd.DataFrame, torch.tensor, list, lambda x: np.array(x)[::-1][::-1]])
@pytest.mark.parametrize("labels", [np.array, pd.Series, torch.tensor, list, lambda y: pd.Series(y, dtype="Int64")])
def test_arrays_frames_tensors_and_lists_give_the_same(kind, labels):
    data = as_dataset((kind(X), labels(Y)))
    assert torch.equal(data.x, torch.tensor(X))
    assert data.x.dtype == torch.float32
    assert torch.equal(data.y, torch.tensor(Y))
    assert data.y.dtype == torch.int64
    assert data.group is None
    assert len(data) == 3


def test_groups_come_third():
    data = as_dataset((np.array(X), np.array(Y), np.array([True, False, True])))
    assert torch.equal(data.group, torch.tensor([1, 0, 1]))
    assert [int(part) for part in data[1][1:]] == [2, 0]
    assert len(as_dataset((np.array(X), np.array(Y)))[1]) == 2


@pytest.mark.parametrize("kind", [np.array, pd.Series, lambda y: np.array(y, dtype=float)])
def test_large_group_numbers_stay_exact(kind):
    assert as_dataset((np.array(X), Y, kind([2**24 + 1, 0, 5]))).group.tolist() == [2**24 + 1, 0, 5]


def test_whole_numbers_become_floats_and_tensors_of_floats_keep_their_type():
    assert torch.equal(as_dataset((np.array([[0], [255]], dtype=np.uint8), [0, 1])).x, torch.tensor([[0.0], [255.0]]))
    assert as_dataset((torch.tensor([[1], [2]]), [0, 1])).x.dtype == torch.float32
    assert as_dataset((torch.ones(2, 1).double(), [0, 1])).x.dtype == torch.float64


def test_a_frame_names_its_columns():
    frame = pd.DataFrame({"age": [1.5, 2.5], "smokes": [True, False]})
    data = as_dataset((frame, [0, 1]))
    assert torch.equal(data.x, torch.tensor([[1.5, 1.0], [2.5, 0.0]]))
    assert columns_of(data) == Columns(("age", "smokes"), ("age", "smokes"), (False, False))


def test_later_changes_of_an_array_do_not_reach_the_data():
    x = np.array(X)
    data = as_dataset((x, Y))
    x[:] = 9
    assert torch.equal(data.x, torch.tensor(X))


@pytest.mark.parametrize("data", [TensorData(torch.tensor(X), torch.tensor(Y)), Own([(torch.ones(2), 1)])])
def test_a_data_set_stays_as_it_is(data):
    assert as_dataset(data) is data


def nan_at(row: int, value: float = np.nan) -> np.ndarray:
    x = np.array(X)
    x[row, 1] = value
    return x


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "data is a int, whose rows have no number; expected"),
        ((np.array(X),), "row of the data set|expected"),
        ((np.zeros((0, 2)), np.zeros(0)), "no rows; expected at least one"),
        ((np.array(X), [0, 1]), "x and y have 3 and 2 rows; expected the same number"),
        ((np.array(X), Y, [0]), "x and y and group have 3 and 3 and 1 rows"),
        ((np.array([["a"], ["b"], ["c"]]), Y), "x holds <U1 values; expected numbers: encode"),
        (
            (pd.DataFrame({"age": [1, 2, 3], "site": ["a", "b", "c"]}), Y),
            "column 'site' of x holds",
        ),
        ((np.array(X), ["a", "b", "c"]), "y holds <U1 values; expected numbers"),
        ((nan_at(1), Y), r"row 1 of x is NaN or infinite \(1 such rows\); fill or drop"),
        ((nan_at(2, np.inf), Y), "row 2 of x is NaN"),
        ((pd.DataFrame({"age": pd.array([1, None, 3], dtype="Int64")}), Y), "row 1 of x is NaN"),
        ((np.array([0.0, np.nan, 1.0]), Y), "row 1 of x is NaN"),
        (
            (np.array(X), [0.0, 0.5, 1.0]),
            "y holds 0.5; expected classes, whole numbers from 0 up; for a regression say",
        ),
        ((np.array(X), [0.0, np.nan, 1.0]), "y of row 1 is NaN; drop rows without a label"),
        ((np.array(X), Y, [0.0, 1.5, 1.0]), "group holds 1.5"),
        ((np.array(X), [[0], [1], [1]]), r"y has shape \(3, 1\); expected one class number per row"),
    ],
)
def test_other_data_is_refused_with_what_was_expected(data, message):
    with pytest.raises(DataError, match=message):
        rows_of(as_dataset(data), torch.tensor([0]))


def test_rows_are_those_at_the_positions_in_their_order():
    data = TensorData(torch.tensor(X), torch.tensor(Y), torch.tensor([7, 8, 9]), None)
    found = rows_of(data, torch.tensor([2, 0, 2]))
    assert torch.equal(found.x, torch.tensor([X[2], X[0], X[2]]))
    assert found.y.tolist() == [1, 0, 1]
    assert found.group.tolist() == [9, 7, 9]


def test_rows_of_a_map_style_data_set_equal_those_of_tensors():
    data = TensorData(torch.tensor(X), torch.tensor(Y), torch.tensor([7, 8, 9]))
    own = Own([(np.array(x), y, group) for x, y, group in zip(X, Y, [7, 8, 9], strict=True)])
    for found in (rows_of(own, torch.tensor([2, 0])), all_rows(own)):
        expected = rows_of(data, torch.tensor([2, 0])) if len(found) == 2 else all_rows(data)
        assert torch.equal(found.x.float(), expected.x)
        assert torch.equal(found.y, expected.y)
        assert torch.equal(found.group, expected.group)
    assert rows_of(Own([(torch.tensor([1, 2]), 0)]), torch.tensor([0])).x.dtype == torch.float32


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([torch.ones(2)] * 2, r"a row of the data set is a Tensor; expected \(x, y\) or \(x, y, group\)"),
        ([(torch.ones(2),)] * 2, "a row of the data set is a tuple"),
        ([(torch.ones(2), 0), (torch.full((2,), torch.nan), 1)], "row 1 of x is NaN"),
    ],
)
def test_bad_rows_of_a_map_style_data_set_are_refused_when_read(rows, message):
    with pytest.raises(DataError, match=message):
        rows_of(Own(rows), torch.tensor([1]))


def test_labels_come_from_an_attribute_or_from_the_rows():
    own = Own([(torch.ones(2), label) for label in Y])
    assert all_labels(own).tolist() == Y
    own.rows, own.y = [None] * 3, [1, 1, 0]
    assert all_labels(own).tolist() == [1, 1, 0]


def test_a_map_style_data_set_may_name_its_columns():
    own = Own([(torch.ones(2), 0)])
    assert columns_of(own) is None
    assert rows_of(own, torch.tensor([0])).columns is None
    own.columns = Columns(("a", "b"), ("a", "b"), (False, False))
    assert rows_of(own, torch.tensor([0])).columns is own.columns


def test_one_class_is_refused():
    require_classes(TensorData(torch.zeros(3, 1), torch.tensor([0, 1, 0])))
    with pytest.raises(DataError, match="every label is 4; expected at least two classes"):
        require_classes(TensorData(torch.zeros(2, 1), torch.tensor([4, 4])))


@pytest.mark.parametrize("label", [0.7, "a", torch.tensor([0.0, 1.0]), None])
def test_a_label_of_a_map_style_data_set_that_is_no_whole_number_is_refused(label):
    with pytest.raises(DataError, match=r"label of row 1 is .*; expected a whole number"):
        rows_of([(torch.zeros(2), 0), (torch.zeros(2), label)], torch.tensor([0, 1]))


@pytest.mark.parametrize("x", [torch.zeros(3), "text"])
def test_rows_of_different_shape_or_kind_are_refused(x):
    with pytest.raises(DataError, match="one shape in every row"):
        rows_of([(torch.zeros(2), 0), (x, 1)], torch.tensor([0, 1]))


def test_tensor_data_with_labels_that_are_no_class_numbers_is_refused():
    for y in (torch.zeros(2, 1, dtype=torch.long), torch.zeros(2)):
        with pytest.raises(DataError, match="expected one class number per row"):
            as_dataset(_unchecked(torch.zeros(2, 3), y))


def _unchecked(x, y):
    """Built as it is where annotations are not checked."""
    data = object.__new__(TensorData)
    for name, value in {"x": x, "y": y}.items():
        object.__setattr__(data, name, value)
    return data


def test_labels_are_read_row_by_row_so_that_the_inputs_need_not_fit_in_memory(monkeypatch):
    sizes = []
    stack = torch.stack
    monkeypatch.setattr(torch, "stack", lambda parts, *rest: sizes.append(len(parts)) or stack(parts, *rest))
    assert all_labels([(torch.zeros(3), row % 2) for row in range(20)]).tolist() == [row % 2 for row in range(20)]
    assert set(sizes) == {1}


@pytest.mark.parametrize(
    ("group", "words"),
    [(torch.full((3,), torch.nan), "group holds torch.float32"), (torch.tensor([0, -1, 1]), "row 1")],
)
def test_groups_that_are_no_numbers_of_groups_are_refused(group, words):
    data = TensorData(torch.tensor(X), torch.tensor(Y), torch.tensor([0, 1, 1]))
    object.__setattr__(data, "group", group)  # Past the checks of array annotations, which users do not have.
    with pytest.raises(DataError, match=words):
        as_dataset(data)
