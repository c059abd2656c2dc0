from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgba

import corrigible
from corrigible.errors import DataError
from corrigible.plots import beeswarm
from corrigible.plots.beeswarm import swarm
from corrigible.plots.page import svg_of
from corrigible.plots.style import FAINT, VALUES, colour_of
from corrigible.types import Columns
from drawn import outside, row_names, texts

TABLE = Columns(("age", "site=a", "site=b", "dose", "dose=missing"), ("age", "site", "site", "dose", "dose"), (False, True, True, False, False))  # noqa: E501  # fmt: skip
ATTRIBUTION = torch.tensor([[0.1, 0.5, 0.5, 0.0, 0.2], [-0.3, -1.0, 2.0, 0.1, 0.0], [0.2, 0.0, 0.0, 0.5, 0.4]])
X = torch.tensor([[1.0, 1, 0, 3, 0], [2.0, 0, 1, 0, 1], [3.0, 0, 0, 5, 0]])


def points(figure) -> list[np.ndarray]:
    return [np.asarray(found.get_offsets()) for found in figure.axes[0].collections]


def test_points_stand_at_the_sum_over_a_features_columns_strongest_on_top() -> None:
    figure = beeswarm(ATTRIBUTION, X, TABLE)
    assert row_names(figure.axes[0]) == ["site", "dose", "age"]
    across = [found[:, 0].tolist() for found in points(figure)]
    assert np.allclose(across, [[1.0, 1.0, 0.0], [0.2, 0.1, 0.9], [0.1, -0.3, 0.2]])
    assert figure.axes[0].yaxis_inverted()


def test_numbers_are_coloured_by_size_categories_by_kind_and_unknown_values_are_grey() -> None:
    site, dose, age = (found.get_facecolors()[:, :3] for found in beeswarm(ATTRIBUTION, X, TABLE).axes[0].collections)
    grey = to_rgba(FAINT)[:3]
    assert np.allclose(site, [to_rgba(colour_of(0))[:3], to_rgba(colour_of(1))[:3], grey])
    assert np.allclose(dose, [VALUES(0.0)[:3], grey, VALUES(1.0)[:3]])
    assert np.allclose(age, [VALUES(0.0)[:3], VALUES(0.5)[:3], VALUES(1.0)[:3]], atol=0.02)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60))
def test_no_point_leaves_its_row_and_repeats_fall_alike(values: list[float]) -> None:
    found = np.array(values)
    spread = swarm(found, width=float(np.ptp(found)) or 1.0)
    assert (np.abs(spread) <= 0.4).all()
    assert np.array_equal(spread, swarm(found, width=float(np.ptp(found)) or 1.0))


def test_crowded_points_spread_over_the_whole_thickness() -> None:
    spread = np.sort(swarm(np.zeros(200), width=1.0))
    assert spread[0] < -0.39 and spread[-1] > 0.39
    assert np.diff(spread).max() < 0.02
    few = swarm(np.array([0.0, 0.5, 1.0]), width=1.0)
    assert np.abs(few).max() < 0.1


def test_models_side_by_side_share_rows_and_scale() -> None:
    figure = beeswarm({"before": ATTRIBUTION, "after": 0.1 * ATTRIBUTION}, X, TABLE)
    before, after = figure.axes[:2]
    assert before.get_xlim() == after.get_xlim()
    assert [axes.get_title(loc="left") for axes in (before, after)] == ["before", "after"]
    assert row_names(before) == ["site", "dose", "age"]


@pytest.mark.parametrize("panels", [1, 2])
def test_the_key_of_a_category_stays_in_its_row_beside_no_other(panels: int) -> None:
    feature = {kind: name for name, kinds in (("sex", "fm"), ("region", "nesw"), ("kind", "abc")) for kind in kinds}
    names = tuple(f"{feature[kind]}={kind} of a long name" for kind in feature)
    x = torch.eye(9)
    figure = beeswarm({str(k): x for k in range(panels)}, x, Columns(names, tuple(feature.values()), (True,) * 9))
    assert outside(figure) == []
    axes = figure.axes[panels - 1]
    boxes = {text.get_text()[0]: text.get_window_extent() for text in axes.texts}
    assert set(boxes) == set(feature)
    assert not any(one.overlaps(other) for one, other in combinations(boxes.values(), 2))
    for kind, box in boxes.items():
        ends = axes.transData.inverted().transform([(0, box.y0), (0, box.y1)])[:, 1]
        assert (abs(ends - row_names(figure.axes[0]).index(feature[kind])) < 0.5).all()


def test_the_weakest_features_are_left_out() -> None:
    assert row_names(beeswarm(ATTRIBUTION, X, TABLE, max_features=2).axes[0]) == ["site", "dose"]


def test_many_points_are_drawn_as_pixels() -> None:
    figure = beeswarm(torch.randn(60, 1), torch.randn(60, 1), ["age"])
    assert all(found.get_rasterized() for found in figure.axes[0].collections)


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match=r"x has shape \(2, 5\); expected that of the attribution, \(3, 5\)"):
        beeswarm(ATTRIBUTION, X[:2], TABLE)
    with pytest.raises(DataError, match="2 names for 5 columns"):
        beeswarm(ATTRIBUTION, X, ["a", "b"])
    with pytest.raises(DataError, match="'a' names two columns"):
        beeswarm(ATTRIBUTION, X, list("aabcd"))
    with pytest.raises(DataError, match=r"row 1 of the attribution is NaN or infinite \(1 such rows\)"):
        beeswarm(ATTRIBUTION.index_fill(0, torch.tensor([1]), torch.nan), X, TABLE)
    with pytest.raises(DataError, match="max_features is 0"):
        beeswarm(ATTRIBUTION, X, TABLE, max_features=0)


def test_a_frame_with_words_shows_them_as_categories() -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0], "site": ["a", "b", None], "kind": pd.Categorical([7, 8, 7])})
    figure = beeswarm(ATTRIBUTION[:, :3], frame)
    assert row_names(figure.axes[0]) == ["kind", "site", "age"]
    kind, site, _ = (found.get_facecolors()[:, :3] for found in figure.axes[0].collections)
    first, second, grey = (to_rgba(colour)[:3] for colour in (colour_of(0), colour_of(1), FAINT))
    assert np.allclose(site, [first, second, grey]) and np.allclose(kind, [first, second, first])
    assert {"a", "b", "7", "8"} <= {text.get_text() for text in texts(figure)}


def test_a_frame_with_words_is_encoded_by_the_tables_encoder() -> None:
    frame = pd.DataFrame({"age": [30.0, 40.0, 50.0], "site": ["a", "b", "a"], "y": ["no", "yes", "no"]})
    encoder = corrigible.encoder_of(frame, target="y")
    encoded = corrigible.encode(frame, encoder).x
    attribution = ATTRIBUTION[:, : encoded.shape[1]]
    assert svg_of(beeswarm(attribution, frame, encoder)) == svg_of(beeswarm(attribution, encoded, encoder))
    with pytest.raises(DataError, match="no column 'y'"):
        beeswarm(attribution, frame.drop(columns="y"), encoder)
