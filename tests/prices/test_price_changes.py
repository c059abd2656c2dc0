"""Who pays more is counted by exposure, group by group and tenth by tenth, and drawn as it was counted."""

import numpy as np
import pandas as pd
import pytest

from corrigible import predicted_over_observed, price_changes
from corrigible.errors import DataError
from corrigible.plots import price_changes as drawn
from drawn import outside, unnamed_axes

RNG = np.random.default_rng(0)
OLD = RNG.lognormal(5, 0.5, 300)
GROUPS = np.array(["f", "m", None])[RNG.integers(3, size=300)]
EXPOSURE = 0.5 + RNG.random(300)
NEW = OLD * np.where(GROUPS == "f", 1.2, 0.95) * np.exp(RNG.normal(0, 0.05, 300))
FOUND = price_changes(OLD, NEW, GROUPS, exposure=EXPOSURE, num_resamples=200)


def test_each_group_is_counted_as_written_out() -> None:
    assert [found.group for found in FOUND.by_group] == ["f", "m", "missing"]
    for found, group in zip(FOUND.by_group, ("f", "m", None), strict=True):
        rows = np.array([value == group for value in GROUPS])
        weight, ratio = EXPOSURE[rows], NEW[rows] / OLD[rows]
        assert (found.rows, found.exposure) == (rows.sum(), pytest.approx(weight.sum()))
        assert found.change.value == pytest.approx((weight * NEW[rows]).sum() / (weight * OLD[rows]).sum() - 1)
        assert found.more.value == pytest.approx(weight[ratio > 1.1].sum() / weight.sum())
        assert found.less.value == pytest.approx(weight[ratio < 0.9].sum() / weight.sum())
        assert found.change.low < found.change.value < found.change.high


def test_tenths_have_equal_exposure_and_parts_sum_to_the_whole() -> None:
    exposed = np.array([found.exposure for found in FOUND.by_tenth])
    assert len(exposed) == 10 and np.allclose(exposed, EXPOSURE.sum() / 10, atol=2)
    for parts in (FOUND.by_group, FOUND.by_tenth, FOUND.cells):
        assert sum(found.new - found.old for found in parts) == pytest.approx(FOUND.total.new - FOUND.total.old)
        assert sum(found.rows for found in parts) == 300
    means = [found.old / found.exposure for found in FOUND.by_tenth]
    assert means == sorted(means)


def test_the_interval_is_about_the_normal_one_of_a_ratio() -> None:
    residual = EXPOSURE * (NEW - (1 + FOUND.total.change.value) * OLD)
    half = 1.96 * residual.std() * np.sqrt(300) / (EXPOSURE * OLD).sum()
    assert FOUND.total.change.high - FOUND.total.change.value == pytest.approx(half, rel=0.25)


def test_it_is_a_table_in_a_terminal_and_a_notebook_and_a_frame() -> None:
    lines = repr(FOUND).splitlines()
    assert lines[0].startswith("part") and "pay over 10\u00a0% more" in lines[0] and len(lines) == 1 + 1 + 3 + 10
    assert FOUND._repr_html_().count("<tr>") == len(lines)
    assert pd.DataFrame(FOUND.cells)["rows"].sum() == 300


def test_the_figure_holds_every_group_with_its_interval() -> None:
    figure = drawn(FOUND)
    assert outside(figure) == [] and unnamed_axes(figure) == []
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[1:]] == [10, 10, 10]
    line = figure.axes[0].lines[1]
    cells = [cell for cell in FOUND.cells if cell.group == "f"]
    assert np.allclose(line.get_ydata(), [100 * cell.change.value for cell in cells])


def test_predicted_over_observed_is_the_ratio_of_sums() -> None:
    y = RNG.poisson(OLD / 100)
    found = predicted_over_observed(OLD / 100, y, GROUPS, exposure=EXPOSURE, num_resamples=100)
    rows = GROUPS == "f"
    assert found.by_group[0].ratio.value == pytest.approx((EXPOSURE * OLD / 100)[rows].sum() / y[rows].sum())
    assert found.by_group[0].observed == pytest.approx(y[rows].sum() / EXPOSURE[rows].sum())
    assert found.total.ratio.low < found.total.ratio.value < found.total.ratio.high
    assert len(repr(found).splitlines()) == 5 and "missing" in repr(found)


def test_combinations_of_attributes_are_groups() -> None:
    frame = pd.DataFrame({"sex": ["f", "m", "f", None], "site": [1, 1, 2, 2]})
    found = price_changes([1.0, 2, 3, 4], [1.0, 2, 3, 4], frame, num_resamples=0)
    assert [part.group for part in found.by_group] == ["f, 1", "f, 2", "m, 1", "missing, 2"]
    assert np.isnan(found.total.change.low)


def test_prices_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match="old of row 1 is 0; expected numbers above 0"):
        price_changes([1.0, 0.0], [1.0, 1.0], ["a", "b"])
    with pytest.raises(DataError, match=r"groups has shape \(1,\)"):
        price_changes([1.0, 2.0], [1.0, 1.0], ["a"])
    with pytest.raises(DataError, match="y sums to 0"):
        predicted_over_observed([1.0, 2.0], [0, 0], ["a", "b"])
