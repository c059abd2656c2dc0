"""Reliability diagrams and risk-coverage curves: what is drawn is what the metrics measure."""

import numpy as np
import pytest
import torch

from corrigible.errors import DataError, RecipeError
from corrigible.figures import number
from corrigible.intervals import resamples
from corrigible.metrics import aurc, expected_calibration_error
from corrigible.plots import description, reliability_diagram, risk_coverage
from corrigible.plots.confidence import confidences_of, share_intervals
from corrigible.plots.risk_coverage import COVERAGES, risks

both = pytest.mark.parametrize("plot", [reliability_diagram, risk_coverage])


def drawn(num_rows: int = 200, num_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    probs = (3 * torch.rand(num_rows, num_classes, generator=rng, dtype=torch.float64)).softmax(dim=1)
    return probs, torch.randint(num_classes, (num_rows,), generator=rng)


def test_the_marks_are_the_accuracy_and_the_mean_confidence_of_each_bin() -> None:
    probs, y = drawn()
    figure = reliability_diagram({"model": (probs, y)}, num_bins=5)
    upper, lower = figure.axes
    confidence, predicted = probs.max(dim=1)
    marks, shares = [], []
    for number_of_bin in range(5):
        held = (confidence > number_of_bin / 5) & (confidence <= (number_of_bin + 1) / 5)
        shares.append(held.double().mean().item())
        if bool(held.any()):
            marks.append([confidence[held].mean().item(), (predicted == y)[held].double().mean().item()])
    assert np.allclose(upper.get_lines()[1].get_xydata(), marks)
    assert np.allclose(lower.patches[0].get_data().values, shares)
    assert number(expected_calibration_error(probs, y, num_bins=5).item()) in description(figure)


def test_the_curve_is_the_risk_of_the_surest_rows() -> None:
    probs, y = drawn()
    confidence, is_right = confidences_of({"model": (probs, y)})["model"]
    wrong = 1 - is_right[np.argsort(-confidence)]
    expected = [wrong[: round(200 * c)].mean() for c in COVERAGES]
    (axes,) = risk_coverage({"model": (probs, y)}).axes
    assert np.allclose(axes.get_lines()[0].get_ydata(), expected)
    assert np.allclose(risks((confidence, is_right)), expected)
    low, high = (axes.collections[0].get_paths()[0].vertices[:, 1].min(), axes.get_ylim()[1])
    assert low < min(expected) or low == 0.0
    assert high >= max(expected)
    assert number(aurc(probs, y).item()) in description(risk_coverage({"model": (probs, y)}))


def test_the_band_is_of_resampled_rows_also_where_rows_tie() -> None:
    rng = np.random.default_rng(0)
    confidence, is_right = (0.5 + 0.5 * rng.random(60)).round(1), rng.integers(0, 2, 60).astype(float)
    drawn = np.stack([risks((confidence[rows], is_right[rows])) for rows in map(np.asarray, resamples(60, 200, 0))])
    (axes,) = risk_coverage({"model": (confidence, is_right)}).axes
    (band,) = axes.collections
    drawn_low = band.get_paths()[0].vertices[1 : len(COVERAGES) + 1, 1]
    assert np.allclose(drawn_low, np.quantile(drawn, 0.025, axis=0))


@both
def test_confidence_and_hits_draw_the_same_as_probabilities_and_labels(plot) -> None:
    probs, y = drawn()
    confidence, predicted = probs.max(dim=1)
    assert description(plot({"a": (probs, y)})) == description(plot({"a": (confidence, (predicted == y).numpy())}))


def test_intervals_of_shares_are_wilsons() -> None:
    low, high = share_intervals(np.array([0.0, 3.0, 10.0]), np.array([10.0, 10.0, 10.0]))
    assert np.allclose(low, [0.0, 0.1078, 0.7225], atol=1e-4)
    assert np.allclose(high, [0.2775, 0.6032, 1.0], atol=1e-4)


@pytest.mark.parametrize("num_bins", [0, -1, 1.5, "x", None])
def test_a_number_of_bins_that_is_none_is_refused(num_bins) -> None:
    with pytest.raises(RecipeError, match="num_bins is"):
        reliability_diagram({"a": drawn()}, num_bins=num_bins)


def test_names_may_be_numbers() -> None:
    assert list(confidences_of({3: drawn()})) == ["3"]
    with pytest.raises(DataError, match="models is a list; expected at least one name"):
        confidences_of([("a", drawn())])


@both
@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({}, "no models"),
        ({"a": torch.rand(3)}, "expected \\(probs, y\\)"),
        ({"a": (torch.rand(3, 2), torch.zeros(2))}, "a has shapes \\(3, 2\\) and \\(2,\\)"),
        ({"a": (torch.rand(0, 2), torch.zeros(0))}, "at least one row"),
        ({"a": (2 + torch.rand(3, 2), torch.zeros(3))}, "not all from 0 to 1"),
        ({"a": (torch.rand(3), torch.tensor([0, 1, 2]))}, "whether it was right"),
        ({"a": (torch.eye(2), torch.tensor([0, 2]))}, "y of a is 2 in row 1; expected a class, .* from 0 to 1"),
        ({"a": (torch.eye(2), torch.tensor([0, -1]))}, "y of a is -1 in row 1"),
        ({"a": (torch.eye(2), torch.tensor([0, 0.7]))}, "y of a is 0.7 in row 1"),
        ({"a": (torch.eye(2), torch.tensor([0, torch.nan]))}, "y of a is nan in row 1"),
        ({"a": (torch.ones(2, 1), torch.zeros(2))}, "probs of a have 1 column; expected one for each of at least two"),
        ({"a": (torch.ones(2, 0), torch.zeros(2))}, "probs of a have 0 columns"),
        ({"a": (0.3 * torch.eye(2), torch.arange(2))}, "probs of a sum to 0.3 in row 0; expected 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(plot, models, words) -> None:
    with pytest.raises(DataError, match=words):
        plot(models)
