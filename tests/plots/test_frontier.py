import pytest
from matplotlib.collections import PathCollection

from corrigible.errors import DataError
from corrigible.plots.frontier import best_of_both, frontier
from corrigible.plots.style import description
from corrigible.types import Measurement

METHODS = {
    "plain": [Measurement("accuracy", 0.9, 0.88, 0.92), Measurement("demographic_parity_difference", 0.3)],
    "penalty": [Measurement("accuracy", 0.85), Measurement("demographic_parity_difference", 0.1, 0.05, 0.15)],
    "beaten": [Measurement("accuracy", 0.8), Measurement("demographic_parity_difference", 0.2)],
    "no gap": [Measurement("accuracy", 0.8), Measurement("demographic_parity_difference", None)],
}


def test_each_method_stands_at_its_numbers_and_the_line_joins_what_none_beats():
    figure = frontier(METHODS, quality="accuracy", gaps=["demographic_parity_difference", "group_prob_gap"])
    (axes,) = figure.axes
    marks = [c for c in axes.collections if isinstance(c, PathCollection) and len(c.get_offsets())]
    assert [tuple(mark.get_offsets().data[0]) for mark in marks] == [(0.3, 0.9), (0.1, 0.85), (0.2, 0.8)]
    assert axes.lines[0].get_xydata().tolist() == [[0.1, 0.85], [0.3, 0.9]]
    assert "penalty 0.100 at 0.850" in description(figure)


def test_a_deviance_is_better_where_it_is_lower():
    deviances = {
        name: [Measurement("mean_poisson_deviance", value), Measurement("group_mean_gap", gap)]
        for name, value, gap in (("a", 1.0, 0.1), ("b", 0.8, 0.2), ("c", 1.2, 0.3))
    }
    how = {"quality": "mean_poisson_deviance", "gaps": ["group_mean_gap"], "lower_is_better": True}
    (axes,) = frontier(deviances, **how).axes
    assert axes.lines[0].get_xydata().tolist() == [[0.1, 1.0], [0.2, 0.8]]


def test_the_best_of_both_are_those_that_no_other_beats():
    points = [(0.2, 1.0), (0.1, 0.5), (0.1, 0.7), (0.3, 0.9), (0.4, 1.1)]
    beaten = lambda p: any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)  # noqa: E731
    assert best_of_both(points) == sorted(p for p in points if not beaten(p))


def test_nothing_to_draw_is_refused():
    with pytest.raises(DataError, match="no method has accuracy"):
        frontier({"no gap": METHODS["no gap"]}, quality="accuracy", gaps=["demographic_parity_difference"])
