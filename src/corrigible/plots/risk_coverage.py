"""How many predictions are wrong if only the surest are kept, as in Geifman and El-Yaniv 2017."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from corrigible.figures import number
from corrigible.intervals import percentile_interval, resamples
from corrigible.metrics.risk_coverage import area_of
from corrigible.plots.confidence import Certain, confidences_of
from corrigible.plots.style import (
    ABOVE,
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

COVERAGES = np.linspace(0.02, 1, 50)
NUM_RESAMPLES = 200


def risk_coverage(models: Mapping[str, Any], *, title: str = "") -> Figure:
    """The share of wrong predictions among the surest rows, against the share of rows that are kept, with bands.

    Lower is better; a curve that does not rise shows a confidence that does not tell which predictions are wrong. The
    bands are 95 % intervals at each coverage. The area under each curve (`aurc`) stands in the legend.

    Args:
        models: name -> (probs, y) or (confidence, is_right), as `reliability_diagram` takes them.

    Raises:
        DataError: no models, rows that do not fit, or numbers that are no probabilities or labels.
    """
    given = confidences_of(models)
    figure = new_figure(3.1 + 0.18 * len(given), width=4.2, title=title)
    axes, names, lines = quiet(figure.subplots(), grid="both"), [], []
    for place, (name, certain) in enumerate(given.items()):
        low, high = _band(certain)
        axes.fill_between(COVERAGES, low, high, color=colour_of(place), alpha=0.15, linewidth=0)
        how: dict[str, Any] = {"color": colour_of(place), "linestyle": dashes_of(place), "linewidth": 1.6}
        lines += axes.plot(COVERAGES, risks(certain), **how)
        area = area_of(*(torch.from_numpy(part) for part in certain))
        names.append(f"{spoken_method(name)}: area {number(float(area))}")
    axes.set_xlim(0, 1.01)
    axes.set_ylim(bottom=0)
    label_axes(axes, x="coverage (share of rows kept, the surest first)", y="risk (share of these that are wrong)")
    add_legend(axes, lines, names, **ABOVE)
    key_below(figure, "bands: 95 % intervals")
    return describe(
        figure, f"{title or 'Risk and coverage'}, wrong predictions among the surest rows: {'; '.join(names)}"
    )


def risks(certain: Certain) -> NDArray[np.float64]:
    """The risk at each of the coverages; rows of equal confidence are kept in equal parts."""
    return _risks(*_sorted(certain))


def _sorted(certain: Certain) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Which rows are wrong, the surest first; which row is at each place; and the last places of equal confidence."""
    confidence, is_right = certain
    order = np.argsort(-confidence, kind="stable")
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    return 1 - is_right[order], order, last


def _risks(
    wrong: NDArray[np.float64], order: NDArray[np.intp], last: NDArray[np.intp], counts: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """The same of sorted rows, each as often as its count says."""
    times = np.ones(len(order)) if counts is None else counts[order]
    kept, errors = (np.append(0, np.cumsum(values)[last]) / len(order) for values in (times, times * wrong))
    found: NDArray[np.float64] = np.interp(COVERAGES, kept, errors) / COVERAGES
    return found


def _band(certain: Certain) -> NDArray[np.float64]:
    """The lower and the upper end of the interval at each coverage."""
    ranked, size = _sorted(certain), len(certain[0])
    counts = (rows.bincount(minlength=size).numpy() for rows in resamples(size, NUM_RESAMPLES, 0))
    drawn = [_risks(*ranked, of_rows) for of_rows in counts]
    found: NDArray[np.float64] = percentile_interval(torch.from_numpy(np.stack(drawn))).numpy()
    return found
