import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations import by_feature
from corrigible.explanations.features import (
    by_feature_pairs,
    feature_shares,
    plain_columns,
    separate_columns,
    shared_by_category,
)
from corrigible.types import Columns

COLUMNS = Columns(("b=0", "a", "b=1"), ("b", "a", "b"), (True, False, True))


def test_absolute_attribution_is_summed_over_the_columns_of_each_feature():
    attribution = torch.tensor([[1.0, 2.0, -3.0], [0.0, -5.0, 0.5]])
    assert by_feature(attribution, COLUMNS).tolist() == [[4.0, 2.0], [0.5, 5.0]]


def test_it_can_be_differentiated():
    attribution = torch.tensor([[1.0, 2.0, -3.0]], requires_grad=True)
    by_feature(attribution, COLUMNS)[:, 0].sum().backward()
    assert attribution.grad.tolist() == [[1.0, 0.0, -1.0]]


def test_another_number_of_columns_is_refused():
    with pytest.raises(DataError, match=r"shape \(1, 2\); expected \(batch, 3\)"):
        by_feature(torch.zeros(1, 2), COLUMNS)


def test_the_columns_of_a_category_share_its_sum_evenly():
    attribution = torch.tensor([[1.0, 2.0, -3.0], [0.0, -5.0, 0.5]])
    assert shared_by_category(attribution, COLUMNS).tolist() == [[-1.0, 2.0, -1.0], [0.25, -5.0, 0.25]]
    assert shared_by_category(attribution, None) is attribution


def test_columns_of_a_feature_that_are_no_category_keep_theirs():
    columns = Columns(("a", "a=missing", "b"), ("a", "a", "b"), (False, False, False))
    attribution = torch.tensor([[1.0, 2.0, -3.0]])
    assert torch.equal(shared_by_category(attribution, columns), attribution)
    mixed = Columns(("a", "a=few", "a=many"), ("a", "a", "a"), (False, True, True))
    assert shared_by_category(attribution, mixed).tolist() == [[1.0, -0.5, -0.5]]


def test_columns_without_names_are_features_by_themselves():
    assert plain_columns(2) == Columns(("input 0", "input 1"), ("input 0", "input 1"), (False, False))


def test_columns_of_the_same_name_cannot_be_features_by_themselves():
    assert separate_columns(["b", "a"]) == Columns(("b", "a"), ("b", "a"), (False, False))
    with pytest.raises(DataError, match="'a' names two columns"):
        separate_columns(["a", "b", "a"])


def test_shares_are_those_of_all_rows_together_the_largest_first():
    parts = torch.tensor([[1.0, 4.0, -3.0]]), torch.tensor([[0.0, -5.0, 0.5], [0.0, 0.0, 0.5]])
    assert feature_shares(iter(parts), COLUMNS) == [("a", 9 / 14), ("b", 5 / 14)]
    assert feature_shares([torch.zeros(2, 3)], COLUMNS) == [("b", 0), ("a", 0)]
    assert feature_shares(parts, None) == []


INTERLEAVED = Columns(("b=0", "a", "b=1"), ("b", "a", "b"), (True, False, True))


def test_each_pair_of_features_sums_over_its_columns_with_their_signs():
    interactions = torch.tensor([[[1.0, 2.0, -3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
    expected = torch.tensor([[[1.0 - 3.0 + 7.0 + 9.0, 2.0 + 8.0], [4.0 + 6.0, 5.0]]])
    assert torch.equal(by_feature_pairs(interactions, INTERLEAVED), expected)


@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 2, 2)])
def test_pairs_of_another_number_of_columns_are_refused(shape):
    with pytest.raises(DataError, match="shape"):
        by_feature_pairs(torch.zeros(shape), INTERLEAVED)
