import pytest
import torch
from scipy.stats import spearmanr

from corrigible.errors import DataError, RecipeError
from corrigible.explanations.quality import agreement, rank_correlation, sign_agreement, top_agreement

A = torch.tensor([[4.0, -3.0, 2.0, 1.0], [2.0, 2.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [5.0, 5.0, 5.0, 5.0]])
B = torch.tensor([[3.0, 4.0, -1.0, 2.0], [1.0, 9.0, -8.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])


def test_rank_correlation_equals_that_of_scipy():
    first, second = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0)).mul(2).round()
    assert all(len(row.unique()) < 12 for row in first)
    expected = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)]
    assert rank_correlation(first, second).tolist() == pytest.approx(expected)


def test_rank_correlation_of_what_is_the_same_everywhere_is_undefined():
    assert rank_correlation(A, B).isnan().tolist() == [False, False, True, True]


def test_top_agreement_by_hand():
    # Row 0: {0, 1} twice. Row 1: inputs 0 to 2 hold 2/3 each, against {1, 2}. Row 2 is without any attribution.
    # Row 3: all hold 1/2, against {2, 3}.
    expected = torch.tensor([1, (2 / 3 + 2 / 3) / 2, torch.nan, (1 / 2 + 1 / 2) / 2], dtype=torch.float64)
    torch.testing.assert_close(top_agreement(A, B, top=2), expected, equal_nan=True)


def test_sign_agreement_by_hand():
    # Row 0: input 1 is in both with other signs. Row 1: so is input 2.
    expected = torch.tensor([1 / 2, (2 / 3) / 2, torch.nan, 1 / 2], dtype=torch.float64)
    torch.testing.assert_close(sign_agreement(A, B, top=2), expected, equal_nan=True)


@pytest.mark.parametrize("kind", ["rank_correlation", "top_agreement", "sign_agreement"])
def test_agreement_is_1_with_itself_and_the_same_both_ways(kind):
    drawn, other = torch.randn(2, 6, 20, generator=torch.Generator().manual_seed(0)).round()
    torch.testing.assert_close(agreement(drawn, drawn, kind=kind), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(agreement(drawn, other, kind=kind), agreement(other, drawn, kind=kind))


def test_each_kind_is_the_function_of_its_name():
    torch.testing.assert_close(agreement(A, B), rank_correlation(A, B), equal_nan=True)
    for kind, function in (("top_agreement", top_agreement), ("sign_agreement", sign_agreement)):
        found = agreement(A, B, kind=kind, top=3)
        torch.testing.assert_close(found, function(A, B, top=3), equal_nan=True)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(RecipeError, match="leave it out"):
        agreement(A, B, top=2)
    with pytest.raises(RecipeError, match="top is 5"):
        top_agreement(A, B, top=5)
    with pytest.raises(DataError, match="shape"):
        rank_correlation(A, B[:, :3])
