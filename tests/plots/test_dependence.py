import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection

from corrigible.errors import DataError
from corrigible.explanations.summaries.partial_dependence import partial_dependence as dependence_of
from corrigible.plots import dependence_lines, description, partial_dependence
from corrigible.plots.dependence import MOST_LINES
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


def test_lines_of_later_panels_are_not_cut_off_and_room_is_left_once() -> None:
    panels = [dependence_of(lambda x, by=by: by * x[:, 0], X, "age", columns=TABLE) for by in (0.1, 1, 10)]
    low, high = partial_dependence(panels).axes[0].get_ylim()
    assert high > 40 and -20 < low < -4


def test_models_stand_side_by_side_one_feature_below_the_other() -> None:
    found = {
        name: [dependence_of(lambda x, by=by: by * score(x), X, name, columns=TABLE) for name in ("age", "site")]
        for name, by in (("before", 1), ("_after", 0))
    }
    figure = partial_dependence(found)
    assert [axes.get_xlabel() for axes in figure.axes] == ["age", "age", "site", "site"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["before", "_after", "", ""]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    before, after = (axes.get_lines()[0].get_ydata() for axes in figure.axes[:2])
    assert before.max() == 17.5 and not after.any()
    assert "before: site from 5.250 at a to 8.250 at b; _after: site from 0.000 at a to" in description(figure)
    with pytest.raises(
        DataError, match=r"_after shows the features \['site'\]; expected those of the first model, \['age',"
    ):
        partial_dependence({"before": found["before"], "_after": found["_after"][1:]})
    with pytest.raises(DataError, match="no partial dependence"):
        partial_dependence({})


def test_few_of_many_lines_are_drawn_and_the_mean_is_of_all() -> None:
    x = torch.arange(500.0).repeat(3, 1).T
    (axes,) = partial_dependence(dependence_of(score, x, 1, points=3)).axes
    (lines,) = (behind for behind in axes.collections if isinstance(behind, LineCollection))
    assert len(lines.get_segments()) == MOST_LINES
    assert np.allclose(axes.get_lines()[0].get_ydata(), score(x).mean())


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="no partial dependence"):
        partial_dependence([])
    with pytest.raises(DataError, match=r"2 points, lines of shape \(1, 3\)"):
        dependence_lines(torch.zeros(2), torch.zeros(1, 3), feature="a")
    with pytest.raises(DataError, match="a score is NaN"):
        dependence_lines(torch.zeros(1), torch.full((1, 1), torch.nan), feature="a")
