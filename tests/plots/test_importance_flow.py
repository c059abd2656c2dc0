"""The flow is as thick as what it shows."""

import pytest
import torch
from matplotlib.patches import PathPatch, Rectangle
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations.summaries import node_importance
from corrigible.plots import description, importance_flow
from corrigible.plots.importance_flow import SCALE
from corrigible.types import Columns
from drawn import texts

COLUMNS = Columns(("a", "b", "c"), ("a", "b", "c"), (False,) * 3)


@pytest.fixture(scope="module")
def found():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return node_importance(model, torch.randn(30, 3), 1, columns=COLUMNS, most=2)


def test_bars_are_shares_of_their_column_and_every_column_is_whole(found):
    axes = importance_flow(found).axes[0]
    heights = {}
    for bar in axes.findobj(Rectangle):
        if bar.get_width() == pytest.approx(0.12):
            heights.setdefault(round(bar.get_x(), 2), []).append(bar.get_height() / SCALE)
    assert len(heights) == 3
    assert all(sum(column) == pytest.approx(1) for column in heights.values())
    units = [unit.share for unit in found.important("1")]
    assert list(heights.values())[1][:2] == pytest.approx(units)


def test_bands_are_as_thick_where_they_arrive_as_the_unit_they_arrive_at(found):
    axes = importance_flow(found).axes[0]
    bands = [patch.get_path().vertices for patch in axes.findobj(PathPatch)]
    into_units = [v for v in bands if v[0][0] < 0.5]
    assert len(into_units) == 3 * 2
    thickness = sum(abs(v[4][1] - v[3][1]) for v in into_units) / SCALE
    assert thickness == pytest.approx(sum(unit.share for unit in found.important("1")))


def test_inputs_beyond_the_most_are_one_grey_bar_and_words_say_what_leads(found):
    figure = importance_flow(found, max_features=1, output="visit")
    said = [text.get_text() for text in texts(figure)]
    assert any(text.startswith("2 others") for text in said) and "visit" in said
    assert f"unit {found.important('1')[0].number}" in description(figure)


def test_a_flow_of_nothing_is_refused(found):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    torch.nn.init.zeros_(model[2].weight)
    with pytest.raises(DataError, match="no unit contributes"):
        importance_flow(node_importance(model, torch.randn(5, 3), 1))
    with pytest.raises(DataError, match="max_features is 0"):
        importance_flow(
            node_importance(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), torch.randn(5, 3), 1), max_features=0
        )
