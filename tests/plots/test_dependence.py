import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection

from corrigible.errors import DataError
from corrigible.explanations.summaries.partial_dependence import partial_dependence as dependence_of
from corrigible.plots import dependence_lines, partial_dependence
from corrigible.types import Columns

TABLE = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
X = torch.tensor([[0.0, 1, 0], [1.0, 0, 1], [2.0, 0, 1], [4.0, 1, 0]])


def score(x: torch.Tensor) -> torch.Tensor:
    """One score per row."""
    return x[:, 0] ** 2 + 3 * x[:, 2]


def test_numbers_have_the_mean_in_front_of_every_rows_line() -> None:
    found = dependence_of(score, X, "age", points=4, columns=TABLE)
    (axes,) = partial_dependence(found).axes
    assert np.allclose(axes.get_lines()[0].get_xydata(), [[v, v**2 + 1.5] for v in (0, 1, 2, 4)])
    (lines,) = (behind for behind in axes.collections if isinstance(behind, LineCollection))
    assert np.allclose(lines.get_segments()[1], [[v, v**2 + 3] for v in (0, 1, 2, 4)])
    assert len(axes.patches) == 30  # The histogram of the data.


def test_categories_are_points_with_their_names() -> None:
    found = dependence_of(score, X, "site", columns=TABLE)
    (axes,) = partial_dependence([found]).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    assert np.allclose(axes.collections[1].get_offsets(), [[0, 21 / 4], [1, 21 / 4 + 3]])


def test_several_features_share_the_upright_axis() -> None:
    panels = [dependence_of(score, X, name, columns=TABLE) for name in ("age", "site", "age", "site")]
    shown = [axes for axes in partial_dependence(panels).axes if axes.get_visible()]
    assert len({axes.get_ylim() for axes in shown}) == 1
    assert [axes.get_xlabel() for axes in shown] == ["age", "site", "age", "site"]


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="no partial dependence"):
        partial_dependence([])
    with pytest.raises(DataError, match=r"2 points, lines of shape \(1, 3\)"):
        dependence_lines(torch.zeros(2), torch.zeros(1, 3), feature="a")
    with pytest.raises(DataError, match="a score is NaN"):
        dependence_lines(torch.zeros(1), torch.full((1, 1), torch.nan), feature="a")
