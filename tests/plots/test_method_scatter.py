import pytest
from matplotlib.collections import PathCollection

from corrigible.errors import DataError
from corrigible.plots.method_scatter import MethodResult, method_scatter
from corrigible.plots.style import description
from drawn import HOSTILE, outside, texts

METHODS = [
    MethodResult("right reasons", 0.94, 0.92, 0.96, 0.05, 1.4),
    MethodResult("without feedback", 0.52, None, None, 0.6, 1.0),
    MethodResult(HOSTILE, 0.7, 0.6, 0.8, 0.3, None),
    MethodResult("not measured", None, None, None, 0.1, 1.0),
]


def test_each_mark_stands_at_its_numbers_and_a_dearer_step_is_larger():
    figure = method_scatter(METHODS)
    marks = [drawn for drawn in figure.axes[0].collections if isinstance(drawn, PathCollection)]
    found = [drawn for drawn in marks if len(drawn.get_offsets())]
    assert [tuple(c.get_offsets().data[0]) for c in found] == [(0.05, 0.94), (0.6, 0.52), (0.3, 0.7)]
    sizes = [c.get_sizes()[0] for c in found]
    assert sizes[0] == pytest.approx(1.4 * sizes[1])
    assert "right reasons (step: 1.40 ×): accuracy 0.940, overlap 0.050" in description(figure)


def test_names_are_written_as_they_are_and_stay_on_the_canvas():
    figure = method_scatter(METHODS, title=HOSTILE)
    assert outside(figure) == []
    assert any("right reasons (step: 1.40 ×)" in text.get_text() for text in texts(figure))


def test_nothing_to_draw_is_refused():
    with pytest.raises(DataError, match="no method has both"):
        method_scatter(METHODS[3:])
