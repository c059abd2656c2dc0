import numpy as np
import pytest

from corrigible.errors import DataError
from corrigible.explanations.summaries.permutation_importance import PermutationImportance
from corrigible.plots import dots_and_whiskers, importance
from drawn import row_names

FOUND = PermutationImportance(("age", "site"), (0.1, 0.3), (-0.1, 0.2), (0.2, 0.5), "rows", 0.9, 50, 10)


def test_dots_are_values_and_whiskers_their_intervals_largest_on_top() -> None:
    (axes,) = importance(FOUND).axes
    assert row_names(axes) == ["site", "age"]
    assert axes.get_lines()[-1].get_xydata().tolist() == [[0.3, 0], [0.1, 1]]
    assert np.allclose([segment[:, 0] for segment in axes.collections[0].get_segments()], [[0.2, 0.5], [-0.1, 0.2]])
    assert "of 0.9 (95 % intervals over rows)" in axes.get_xlabel().replace("\n", " ")


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="1 name, and 2, 1 and 1 values and ends; expected one each"):
        dots_and_whiskers(["a"], [1.0, 2.0], [0.0], [3.0])
    with pytest.raises(DataError, match="NaN or infinite"):
        dots_and_whiskers(["a"], [1.0], [0.0], [float("inf")])
