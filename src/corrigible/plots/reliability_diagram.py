"""How often predictions are right, against how sure the model is of them, as in Guo et al. 2017."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corrigible.arguments import whole_number
from corrigible.figures import number
from corrigible.plots.confidence import Certain, confidences_of, share_intervals
from corrigible.plots.style import (
    ABOVE,
    FAINT,
    add_legend,
    colour_of,
    dashes_of,
    describe,
    key_below,
    label_axes,
    new_figure,
    quiet,
    spoken_method,
)


def reliability_diagram(models: Mapping[str, Any], *, num_bins: Any = 15, title: str = "") -> Figure:
    """The accuracy in bins of confidence, with 95 % intervals, and below it how many rows each bin holds.

    A calibrated model lies on the diagonal; below it the model is too sure. Bins are those of
    `expected_calibration_error`, which stands in the legend.

    Args:
        models: name -> (probs, y), the probabilities of the classes, (row, class), and the labels; or
            (confidence, is_right), one number per row each, also of ordered classes, where the median is predicted.

    Raises:
        DataError: no models, rows that do not fit, or numbers that are no probabilities or labels.
        RecipeError: another number of bins.
    """
    given, num_bins = confidences_of(models), whole_number("num_bins", num_bins, 1)
    figure = new_figure(4.1 + 0.18 * len(given), width=4.2, title=title)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    quiet(upper, grid="both"), quiet(lower, grid="x")
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=1, zorder=0.5)
    names, handles = [], []
    for place, (name, certain) in enumerate(given.items()):
        handle, error = _draw(upper, lower, certain, num_bins, place)
        handles.append(handle)
        names.append(f"{spoken_method(name)}: calibration error {number(error)}")
    upper.set_xlim(0, 1.01)
    upper.set_ylim(-0.01, 1.03)
    lower.set_ylim(bottom=0)
    label_axes(upper, y="accuracy (share of rows predicted right)")
    label_axes(lower, x="confidence (largest probability)", y="share of rows")
    add_legend(upper, handles, names, **ABOVE)
    key_below(figure, "lines through marks: 95 % intervals", "below the diagonal: surer than right")
    return describe(figure, f"{title or 'Reliability'}, accuracy against confidence: {'; '.join(names)}")


def _draw(upper: Axes, lower: Axes, certain: Certain, num_bins: int, place: int) -> tuple[Any, float]:
    """One model; the handle of its marks and its expected calibration error."""
    confidence, is_right = certain
    bin_of = np.clip(np.ceil(confidence * num_bins).astype(int), 1, num_bins) - 1
    counts, sure, hits = (
        np.bincount(bin_of, weights=weights, minlength=num_bins).astype(np.float64)
        for weights in (None, confidence, is_right)
    )
    held = counts > 0
    level, share = sure[held] / counts[held], hits[held] / counts[held]
    low, high = share_intervals(hits[held], counts[held])
    colour = colour_of(place)
    upper.vlines(level, low, high, color=colour, linewidth=1.1, alpha=0.6)
    how: dict[str, Any] = {"color": colour, "linestyle": dashes_of(place), "linewidth": 1.4}
    (line,) = upper.plot(level, share, marker="o", markersize=4, **how)
    lower.stairs(counts / len(confidence), np.linspace(0, 1, num_bins + 1), **how)
    return line, float(np.abs(sure - hits).sum() / len(confidence))
