import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations.quality._given import flat_of, marked_of, pair_of

ATTRIBUTION = torch.arange(12.0).reshape(2, 3, 2)


def test_rows_become_lines_in_double_precision():
    assert torch.equal(flat_of(ATTRIBUTION), torch.arange(12.0, dtype=torch.float64).reshape(2, 6))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_an_attribution_that_is_no_number_is_refused_with_its_row(bad):
    changed = ATTRIBUTION.clone()
    changed[1, 2, 0] = bad
    with pytest.raises(DataError, match=r"attribution of row 1 is NaN or infinite \(1 such rows\)"):
        flat_of(changed)


@pytest.mark.parametrize("shape", [(3,), (2, 0)])
def test_an_attribution_without_rows_of_inputs_is_refused(shape):
    with pytest.raises(DataError, match="expected"):
        flat_of(torch.zeros(shape))


def test_two_attributions_must_have_one_shape():
    with pytest.raises(DataError, match=r"shape \(2, 3, 2\); the other attribution has \(2, 6\)"):
        pair_of(ATTRIBUTION, ATTRIBUTION.flatten(1))


@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 1, 2), (3, 2), (2,)])
def test_marks_may_be_shared_by_rows_or_channels(shape):
    marks = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5
    assert torch.equal(marked_of(marks, ATTRIBUTION), (marks | torch.zeros(2, 3, 2, dtype=torch.bool)).flatten(1))


def test_marks_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"shape \(2, 4\); expected one that broadcasts to \(2, 3, 2\)"):
        marked_of(torch.zeros(2, 4, dtype=torch.bool), ATTRIBUTION)
