import numpy as np
import pytest
import torch

from corrigible.errors import DataError
from corrigible.plots import deletion_insertion_curves

CURVES = torch.tensor([[1.0, 0.5, 0.0], [1.0, 0.0, 0.0]])


def test_the_line_is_the_mean_and_the_legend_its_area() -> None:
    (axes,) = deletion_insertion_curves({"_lime": CURVES}).axes
    (line,) = axes.get_lines()
    assert np.allclose(line.get_xydata(), [[0, 1.0], [0.5, 0.25], [1, 0.0]])
    assert axes.get_legend().get_texts()[0].get_text() == "lime: area 0.375"


def test_the_band_is_students_interval_and_one_row_has_none() -> None:
    (axes,) = deletion_insertion_curves({"a": CURVES, "b": CURVES[:1]}).axes
    (band,) = axes.collections
    half = 12.706 * CURVES[:, 1].std().item() / 2**0.5
    heights = band.get_paths()[0].vertices[:, 1]
    assert np.allclose([heights.min(), heights.max()], [0.25 - half, max(1.0, 0.25 + half)], atol=1e-3)


def test_a_method_looks_the_same_in_both_panels() -> None:
    deletion, insertion = deletion_insertion_curves({"a": CURVES, "b": CURVES}, {"b": CURVES}).axes
    assert insertion.get_lines()[0].get_color() == deletion.get_lines()[1].get_color()
    assert (deletion.get_title(loc="left"), insertion.get_title(loc="left")) == ("deletion", "insertion")


def test_bad_input_is_answered_in_one_line() -> None:
    with pytest.raises(DataError, match="no curves for deletion"):
        deletion_insertion_curves({})
    with pytest.raises(DataError, match=r"deletion curves of a have shape \(2, 1\)"):
        deletion_insertion_curves({"a": CURVES[:, :1]})
    with pytest.raises(DataError, match="insertion curves of b hold NaN"):
        deletion_insertion_curves({"a": CURVES}, {"b": CURVES * torch.nan})


def test_curves_that_chance_explains_are_called_no_better_than_random() -> None:
    falls = torch.tensor([[1.0, 0.1, 0.0], [1.0, 0.2, 0.0], [1.0, 0.15, 0.0]])
    by_chance = torch.tensor([[1.0, 0.5, 0.0]])
    unsure = torch.tensor([[1.0, 0.1, 0.0], [1.0, 0.9, 0.0], [1.0, 0.4, 0.0]])
    curves = {"good": falls, "bad": unsure, "one": falls[:1]}
    beside = {"deletion": dict.fromkeys(curves, by_chance), "insertion": dict.fromkeys(curves, by_chance)}
    said = [
        [text.get_text() for text in axes.get_legend().get_texts() if "no better" in text.get_text()]
        for axes in deletion_insertion_curves(curves, curves, random_order=beside).axes
    ]
    assert [[text.split(":")[0] for text in of_panel] for of_panel in said] == [["bad"], ["good", "bad"]]
