import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from corrigible.errors import DataError
from corrigible.plots import interaction_matrix
from corrigible.types import Columns
from drawn import row_names

TABLE = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
VALUES = torch.tensor([[5.0, 1.0, -2.0], [1.0, 0.0, 0.5], [-2.0, 0.5, 0.0]])


def test_cells_are_sums_over_the_columns_of_both_features() -> None:
    (image,) = interaction_matrix(VALUES, TABLE).axes[0].get_images()
    assert np.allclose(image.get_array(), [[5.0, -1.0], [-1.0, 1.0]])
    assert image.get_clim() == (-5.0, 5.0)


def test_without_the_diagonal_the_colours_belong_to_the_pairs() -> None:
    (image,) = interaction_matrix(VALUES, list("abc"), diagonal=False).axes[0].get_images()
    assert np.array_equal(np.ma.getmaskarray(np.ma.masked_invalid(image.get_array())), np.eye(3, dtype=bool))
    assert image.get_clim() == (-2.0, 2.0)


def test_the_strongest_features_stay_in_their_order() -> None:
    figure = interaction_matrix(VALUES, list("abc"), diagonal=False, max_features=2)
    assert row_names(figure.axes[0])[:2] == ["a", "c"]


def test_matrices_can_share_a_scale() -> None:
    (image,) = interaction_matrix(VALUES, list("abc"), limit=8.0).axes[0].get_images()
    assert image.get_clim() == (-8.0, 8.0)


def numbers(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_numbers_have_as_many_decimals_as_the_limit_needs_and_fit_their_cells() -> None:
    matrix = torch.tensor([[0.0, 0.0188, -0.0031], [0.0188, 0.0, 7e-5], [-0.0031, 7e-5, 0.0]])
    drawn = numbers(interaction_matrix(matrix, list("abc"), diagonal=False))
    assert drawn == ["0.019", "−0.003", "0.019", "0", "−0.003", "0"]
    assert numbers(interaction_matrix(matrix * 1e4, list("abc"), diagonal=False))[:2] == ["188", "−31"]
    assert numbers(interaction_matrix(matrix * 1e-4, list("abc"))) == []


def test_pairs_within_sampling_error_are_left_without_colour() -> None:
    rows = torch.tensor([1.0, 1.0, 1.0, 1.1])[:, None, None] * VALUES
    rows[:, 0, 1] = rows[:, 1, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    figure = interaction_matrix(rows, list("abc"), diagonal=False)
    grey = ~np.ma.masked_invalid(figure.axes[0].get_images()[1].get_array()).mask
    assert grey[0, 1] and not grey[0, 2] and not grey.diagonal().any()  # What is left out is no sampling error.
    assert "within sampling error" in figure.get_supxlabel()
    alone = interaction_matrix(VALUES, list("abc"), half=torch.full((3, 3), 0.6), diagonal=False)
    assert not np.ma.masked_invalid(alone.axes[0].get_images()[1].get_array()).mask[1, 2]
    with pytest.raises(DataError, match="unknown feature in order 'z'"):
        interaction_matrix(VALUES, list("abc"), order=["z"])


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="the limit is 0.0; expected a number above 0"):
        interaction_matrix(VALUES, TABLE, limit=0.0)
    with pytest.raises(DataError, match=r"values have shape \(2, 3\); expected \(column, column\)"):
        interaction_matrix(VALUES[:2], TABLE)
    with pytest.raises(DataError, match="not finite and symmetric"):
        interaction_matrix(VALUES.triu(), TABLE)
    with pytest.raises(DataError, match="1 name for 3 columns"):
        interaction_matrix(VALUES, ["a"])
