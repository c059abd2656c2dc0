import numpy as np
import pytest
import torch

from corrigible.errors import DataError
from corrigible.plots.attack_curves import attack_curves
from corrigible.plots.style import description

SIZES, FOUND = [0.0, 0.1, 0.3], torch.tensor([[1.0, 0.5, 0.0], [0.9, 0.3, 0.0]])


def test_the_line_is_the_mean_and_the_band_students_interval() -> None:
    figure = attack_curves(SIZES, {"_plain": FOUND, "defended": FOUND[:1]}, title="Digits")
    (axes,) = figure.axes
    assert np.allclose(axes.get_lines()[0].get_xydata(), [[0, 0.95], [0.1, 0.4], [0.3, 0.0]])
    (band,) = axes.collections
    half = 12.706 * FOUND[:, 1].std().item() / 2**0.5
    heights = band.get_paths()[0].vertices[:, 1]
    assert np.allclose([heights.min(), heights.max()], [0.4 - half, 0.4 + half], atol=1e-3)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["plain", "defended"]
    assert "plain 0.950, 0.400, 0.000" in description(figure)


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="expected two or more, rising"):
        attack_curves([0.1, 0.1], {"a": FOUND[:, :2]})
    with pytest.raises(DataError, match="expected at least one model"):
        attack_curves(SIZES, {})
    with pytest.raises(DataError, match=r"accuracies of a have shape \(2, 2\)"):
        attack_curves(SIZES, {"a": FOUND[:, :2]})
