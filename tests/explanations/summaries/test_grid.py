import pytest
import torch

from corrigible.data.original_units import Units, unchanged
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.summaries.grid import grid_of, named_columns_of
from corrigible.types import Columns

COLUMNS = Columns(
    ("age", "age=missing", "site=x", "site=y", "two", "other two"),
    ("age", "age", "site", "site", "pair", "pair"),
    (False, False, True, True, False, False),
)
UNITS = Units((40.0, 0.0, 0.0, 0.0, 0.0, 0.0), (10.0, 1.0, 1.0, 1.0, 1.0, 1.0))
X = torch.tensor(
    [
        [-1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 1.0, 0.0, 0.0],
        [2.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    ]
)


def test_numbers_go_from_quantile_to_quantile_in_original_units():
    grid = grid_of(X, "age", COLUMNS, UNITS, points=3)
    assert grid.categories == ()
    assert grid.points.tolist() == [30.0, 40.0, 60.0]
    assert grid.observed.tolist() == [30.0, 40.0, 60.0, 40.0]
    assert grid.share.tolist() == [0.25, 0.5, 0.25]


def test_a_number_that_is_set_is_not_missing():
    grid = grid_of(X, "age", COLUMNS, UNITS, points=3)
    changed = grid.put(X, torch.tensor([2, 2, 2, 0]))
    assert changed[:, 0].tolist() == [2.0, 2.0, 2.0, -1.0]
    assert not changed[:, 1].any()
    assert torch.equal(changed[:, 2:], X[:, 2:])


def test_a_category_has_a_point_per_value_and_a_row_may_have_none():
    grid = grid_of(X, "site", COLUMNS, UNITS, points=2)
    assert grid.categories == ("x", "y")
    assert grid.share.tolist() == [0.25, 0.5]
    torch.testing.assert_close(
        grid.observed, torch.tensor([0.0, 1.0, 1.0, torch.nan], dtype=torch.float64), equal_nan=True
    )
    assert grid.put(X, torch.tensor([1, 0, 1, 0]))[:, 2:4].tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize("feature", ["two", 4])
def test_a_column_can_be_named_by_itself(feature):
    grid = grid_of(X + torch.arange(4)[:, None], feature, COLUMNS, UNITS, points=4)
    assert (grid.feature, grid.places.tolist(), grid.points.tolist()) == ("two", [4], [0.0, 1.0, 2.0, 3.0])


def test_shares_are_of_the_nearest_point():
    x = torch.tensor([[0.0], [0.4], [0.6], [1.0], [9.0]])
    grid = grid_of(x, 0, named_columns_of(x, None, None), unchanged(1), points=2)
    assert grid.points.tolist() == [0.0, 9.0]
    assert grid.share.tolist() == [0.8, pytest.approx(0.2)]


@pytest.mark.parametrize(
    ("feature", "points", "error", "message"),
    [
        ("agee", 3, DataError, "did you mean 'age'"),
        (6, 3, DataError, "feature is 6; expected a column from 0 to 5"),
        ("pair", 3, DataError, r"has columns \['two', 'other two'\]; name one of them"),
        ("age", 1, RecipeError, "points is 1; expected at least 2"),
    ],
)
def test_what_does_not_fit_is_refused(feature, points, error, message):
    with pytest.raises(error, match=message):
        grid_of(X, feature, COLUMNS, UNITS, points=points)


def test_units_and_tables_must_fit():
    with pytest.raises(DataError, match="units are those of 6 columns; expected 2"):
        named_columns_of(torch.zeros(3, 2), None, UNITS)
    with pytest.raises(DataError, match="a table"):
        named_columns_of(torch.zeros(3, 2, 2), None, None)
