import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from corrigible.errors import DataError
from corrigible.plots import coloured_text, coloured_text_html
from drawn import texts

WORDS = ["not", "bad", "at", "all"]
VALUES = torch.tensor([1.0, -1.0, 0.0, torch.nan])


def test_words_stand_on_the_colour_of_their_value() -> None:
    figure = coloured_text(WORDS, VALUES)
    assert [text.get_text() for text in texts(figure)] == [*WORDS, "red: raises the score · blue: lowers it"]
    colours = [to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches]
    assert colours == ["#b2182b", "#2166ac", "#ffffff", "#969696"]


def test_boxes_hold_their_words_and_never_overlap() -> None:
    figure = coloured_text(WORDS * 20, VALUES.repeat(20))
    figure.draw_without_rendering()
    boxes = [patch.get_window_extent() for patch in figure.axes[0].patches]
    for text, box in zip(texts(figure)[:-1], boxes, strict=True):
        inside = text.get_window_extent()
        assert box.x0 <= inside.x0 and inside.x1 <= box.x1 and box.y0 <= inside.y0 + 1 and inside.y1 <= box.y1 + 1
    corners = np.array([(box.x0, box.y0, box.x1, box.y1) for box in boxes])
    left, low, right, high = (corners[:, k] for k in range(4))
    apart = (right[:, None] <= left) | (left[:, None] >= right) | (high[:, None] <= low) | (low[:, None] >= high)
    assert (apart | np.eye(len(boxes), dtype=bool)).all()
    assert len(set(low.round())) > 2


def test_the_page_variant_is_escaped_and_tells_the_values() -> None:
    html = coloured_text_html(["<b>", "fine"], torch.tensor([0.5, -0.25]))
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert 'title="+0.500"' in html and 'title="−0.250"' in html


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match=r"4 words and values of shape \(3,\); expected one value per word"):
        coloured_text(WORDS, VALUES[:3])
    with pytest.raises(DataError, match="the limit is -1.0"):
        coloured_text_html(WORDS, VALUES, limit=-1.0)
