import inspect

import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations.baselines import background_rows, baseline_row
from corrigible.types import Columns

COLUMNS = Columns(
    ("site=a", "age", "site=b", "sex=f", "site=c", "sex=m"),
    ("site", "age", "site", "sex", "site", "sex"),
    (True, False, True, True, True, True),
)
NEUTRAL = [1 / 3, 0, 1 / 3, 1 / 2, 1 / 3, 1 / 2]
X = torch.tensor([[0, 0.7, 1, 0, 0, 1], [1, -2, 0, 1, 0, 0]], dtype=torch.float64)
"""Two rows with their categories."""


def test_a_baseline_that_is_no_number_is_refused():
    # A recipe may hold anything; the annotation is checked in tests alone.
    with pytest.raises(DataError, match="baseline is 'grey'; expected a number"):
        inspect.unwrap(baseline_row)("grey", torch.zeros(2, 5))


def test_by_default_inputs_are_absent_at_0_and_a_category_by_an_even_mix():
    assert baseline_row(None, torch.ones(2, 3, 4)).tolist() == torch.zeros(3, 4).tolist()
    torch.testing.assert_close(baseline_row(None, X, COLUMNS), torch.tensor(NEUTRAL, dtype=torch.float64))
    torch.testing.assert_close(background_rows(None, X, columns=COLUMNS)[0], baseline_row(None, X, COLUMNS))
    numbers = Columns(("a", "b"), ("a", "a"), (False, False))
    assert baseline_row(None, torch.ones(2, 2), numbers).tolist() == [0, 0]


@pytest.mark.parametrize("given", [0, 2.5, torch.arange(6.0)])
def test_a_baseline_that_is_given_stays_as_it_is(given):
    assert torch.equal(baseline_row(given, X, COLUMNS), torch.as_tensor(given).double().expand(6))


@pytest.mark.parametrize("named", [baseline_row, lambda _, x, columns: background_rows(None, x, columns=columns)])
def test_columns_of_another_table_are_refused(named):
    with pytest.raises(DataError, match="expected .* one per named column"):
        named(None, X[:, :5], COLUMNS)


def test_a_number_of_rows_is_no_background():
    with pytest.raises(DataError, match="the background is 50; expected the rows themselves"):
        inspect.unwrap(background_rows)(50, torch.zeros(2, 5))
