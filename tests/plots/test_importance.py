import numpy as np
import pytest
from matplotlib.colors import to_hex

from corrigible.errors import DataError
from corrigible.explanations.summaries.permutation_importance import PermutationImportance
from corrigible.plots import dots_and_whiskers, importance
from corrigible.plots.style import FAINT, colour_of
from drawn import row_names

FOUND = PermutationImportance(("age", "site"), (0.1, 0.3), (-0.1, 0.2), (0.2, 0.5), "rows", 0.9, 50, 10)


def test_dots_are_values_and_whiskers_their_intervals_largest_on_top() -> None:
    (axes,) = importance(FOUND).axes
    assert row_names(axes) == ["site", "age"]
    assert axes.collections[1].get_offsets().tolist() == [[0.3, 0], [0.1, 1]]
    assert np.allclose([segment[:, 0] for segment in axes.collections[0].get_segments()], [[0.2, 0.5], [-0.1, 0.2]])
    assert "of 0.900 with all (95 % intervals over rows)" in axes.get_xlabel().replace("\n", " ")


def test_what_is_within_sampling_error_is_grey_and_the_key_says_so() -> None:
    (axes,) = importance(FOUND).axes
    clear, unclear = axes.collections[1].get_facecolors()
    assert to_hex(clear) == colour_of(1) and to_hex(unclear) == FAINT
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["clear of 0", "within sampling error of 0"]


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="1 name, and 2, 1 and 1 values and ends; expected one each"):
        dots_and_whiskers(["a"], [1.0, 2.0], [0.0], [3.0])
    with pytest.raises(DataError, match="NaN or infinite"):
        dots_and_whiskers(["a"], [1.0], [0.0], [float("inf")])
