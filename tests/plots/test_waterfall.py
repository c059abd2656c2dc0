import pytest
import torch

from corrigible.errors import DataError
from corrigible.plots import waterfall
from corrigible.plots.waterfall import BASELINE
from corrigible.types import Columns
from drawn import row_names, texts

TABLE = Columns(("age", "site=a", "site=b", "dose"), ("age", "site", "site", "dose"), (False, True, True, False))
ATTRIBUTION = torch.tensor([0.5, -1.0, -1.0, 0.25])


def bars(figure) -> list[tuple[float, float]]:
    """Where each bar starts and ends."""
    found = [patch for container in figure.axes[0].containers for patch in container]
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in found]


def test_each_bar_starts_where_the_last_one_ended() -> None:
    figure = waterfall(ATTRIBUTION, TABLE, baseline=1.0, score=-0.25, x=torch.tensor([2.0, 0, 1, -1]))
    assert row_names(figure.axes[0]) == [BASELINE, "site = b", "age = 2", "dose = −1", "this row"]
    assert bars(figure) == [(1.0, -1.0), (-1.0, -0.5), (-0.5, -0.25)]
    written = {text.get_text() for text in texts(figure)}
    assert {"1.000", "−2.000", "+0.500", "+0.250", "−0.250"} <= written


def test_what_the_attributions_leave_open_has_a_bar_of_its_own() -> None:
    figure = waterfall(ATTRIBUTION, TABLE, baseline=1.0, score=0.75)
    assert row_names(figure.axes[0])[-2:] == ["not explained", "this row"]
    assert bars(figure)[-1] == (-0.25, 0.75)


def test_weak_features_are_joined_but_never_one_alone() -> None:
    many = torch.tensor([4.0, 3.0, 2.0, 1.0])
    figure = waterfall(many, list("abcd"), baseline=0.0, score=10.0, max_features=2)
    assert row_names(figure.axes[0])[1:-1] == ["a", "b", "2 other features"]
    assert bars(figure)[-1] == (7.0, 10.0)
    figure = waterfall(many, list("abcd"), baseline=0.0, score=10.0, max_features=3)
    assert row_names(figure.axes[0])[1:-1] == ["a", "b", "c", "d"]


def test_the_same_row_before_and_after_has_the_same_features_on_one_scale() -> None:
    found = {"before": ATTRIBUTION, "after": 0.1 * ATTRIBUTION}
    ends = {"before": -0.25, "after": 0.875}
    figure = waterfall(found, TABLE, baseline=1.0, score=ends, order=["dose"])
    assert row_names(figure.axes[0]) == [BASELINE, "dose", "site", "age", "this row"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["before", "after"]


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="the scores are nan and 1.0; expected finite numbers"):
        waterfall(ATTRIBUTION, TABLE, baseline=float("nan"), score=1.0)
    with pytest.raises(DataError, match=r"no baseline; expected .*every feature is absent, such as float\(model"):
        waterfall(ATTRIBUTION, TABLE, score=1.0)
    with pytest.raises(DataError, match=r"no score; expected .* for this row, such as float\(model\(row"):
        waterfall(ATTRIBUTION, TABLE, baseline=1.0)
    with pytest.raises(DataError, match="3 names for 4 columns"):
        waterfall(ATTRIBUTION, list("abc"), baseline=0.0, score=1.0)


def test_a_feature_whose_name_ends_like_the_joined_bar_is_not_faint() -> None:
    figure = waterfall([1.0, 2.0], ["no other features", "b"], baseline=0.0, score=3.0)
    assert {patch.get_alpha() for container in figure.axes[0].containers for patch in container} == {1.0}
