import pytest
import torch

from corrigible.errors import DataError
from corrigible.explanations.pairs import by_feature_pairs
from corrigible.types import Columns

COLUMNS = Columns(("b=0", "a", "b=1"), ("b", "a", "b"), (True, False, True))


def test_each_pair_of_features_sums_over_its_columns_with_their_signs():
    interactions = torch.tensor([[[1.0, 2.0, -3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
    expected = torch.tensor([[[1.0 - 3.0 + 7.0 + 9.0, 2.0 + 8.0], [4.0 + 6.0, 5.0]]])
    assert torch.equal(by_feature_pairs(interactions, COLUMNS), expected)


@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 2, 2)])
def test_another_number_of_columns_is_refused(shape):
    with pytest.raises(DataError, match="shape"):
        by_feature_pairs(torch.zeros(shape), COLUMNS)
