import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations.quality import top_overlap

ATTRIBUTION = torch.tensor([[1.0, -3.0, 2.0, 0.0], [2.0, 2.0, -2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
RELEVANT = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()


def test_as_many_as_are_marked_by_hand():
    # Row 0: {1, 2} and {0, 1}. Row 1: inputs 0 to 2 hold 2/3 each. Row 2 has no attribution, row 3 no marks.
    expected = torch.tensor([1 / 3, (2 / 3) / (4 - 2 / 3), torch.nan, torch.nan], dtype=torch.float64)
    torch.testing.assert_close(top_overlap(ATTRIBUTION, RELEVANT), expected, equal_nan=True)


def test_a_given_number_by_hand():
    # Row 0: {1} and {0, 1}. Row 1: inputs 0 to 2 hold 1/3 each.
    expected = torch.tensor([1 / 2, (1 / 3) / (3 - 1 / 3), torch.nan, torch.nan], dtype=torch.float64)
    torch.testing.assert_close(top_overlap(ATTRIBUTION, RELEVANT, top=1), expected, equal_nan=True)


def test_more_than_there_are_is_refused():
    with pytest.raises(RecipeError, match="top is 5; expected 1 to 4"):
        top_overlap(ATTRIBUTION, RELEVANT, top=5)
