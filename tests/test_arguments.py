import numpy as np
import pytest

from corrigible.arguments import whole_number
from corrigible.errors import RecipeError


def test_whole_numbers_of_any_package_are_taken():
    assert whole_number("seed", np.int64(3)) == whole_number("seed", 3) == 3
    assert whole_number("seed", -1) == -1


@pytest.mark.parametrize("value", [None, 1.5, "3", True, 0, 11, 10**30])
def test_anything_else_is_named(value):
    with pytest.raises(RecipeError, match="^batch_size is .*; expected a whole number from 1 to 10$"):
        whole_number("batch_size", value, 1, 10)
