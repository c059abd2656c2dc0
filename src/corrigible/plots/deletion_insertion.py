"""Deletion and insertion: the score while inputs are taken away or put back, the strongest first."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from corrigible.errors import DataError
from corrigible.figures import DASHES, number
from corrigible.intervals import half_width
from corrigible.plots.style import (
    INK,
    WIDTH,
    add_legend,
    colour_of,
    describe,
    label_axes,
    new_figure,
    quiet,
    text_style,
)

Curves = Mapping[str, Float[Tensor, " row point"]]
"""The score by method: each row's, at equal steps from all inputs as they are to all changed."""


def deletion_insertion_curves(
    deletion: Curves, insertion: Curves | None = None, *, title: str = "", label: str = "score"
) -> Figure:
    """The mean curve of each method over the rows, with Student's 95 % interval, and the area under it.

    An explainer that names the inputs that matter makes the score fall early in deletion, for a small area, and rise
    early in insertion, for a large one.

    Raises:
        DataError: no methods, fewer than two points, or scores that are not finite.
    """
    panels = {"deletion": deletion} | ({"insertion": insertion} if insertion else {})
    for kind, curves in panels.items():
        _check(kind, curves)
    longest = max(len(curves) for curves in panels.values())
    height = 2.6 + 0.18 * longest
    figure = new_figure(height, width=WIDTH if len(panels) == 2 else 0.7 * WIDTH, title=title)
    told = []
    styles = {name: place for place, name in enumerate(dict.fromkeys([*deletion, *(insertion or ())]))}
    found = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (kind, curves) in zip(found, panels.items(), strict=True):
        areas = _draw(quiet(axes, grid="y"), curves, styles)
        axes.set_title(kind, loc="left", **text_style(color=INK, fontweight="bold"))
        label_axes(axes, x=f"share of inputs {'removed' if kind == 'deletion' else 'put back'}")
        told += [f"{kind} {name} area {number(area)}" for name, area in areas.items()]
    label_axes(found[0], x=found[0].get_xlabel(), y=label)
    return describe(figure, f"{title or 'Deletion and insertion curves'}: {'; '.join(told)}")


def _draw(axes: Axes, curves: Curves, styles: Mapping[str, int]) -> dict[str, float]:
    """The area under each mean curve."""
    lines, legend, areas = [], [], {}
    for name, curve in curves.items():
        scores = curve.detach().double().cpu().numpy()
        share, mean = np.linspace(0, 1, scores.shape[1]), scores.mean(axis=0)
        style = styles[name]
        dash = DASHES[style % len(DASHES)]
        pattern = (0, tuple(float(part) / 2 for part in dash.split())) if dash else "solid"
        lines += axes.plot(share, mean, color=colour_of(style), linewidth=1.6, linestyle=pattern)
        half = half_width(scores)
        if half is not None:
            axes.fill_between(share, mean - half, mean + half, color=colour_of(style), alpha=0.15, linewidth=0)
        areas[name] = float((mean[1:] + mean[:-1]).mean() / 2)
        legend.append(f"{name.replace('_', ' ')}, area {number(areas[name])}")
    axes.set_xlim(0, 1)
    add_legend(axes, lines, legend, loc="upper left", bbox_to_anchor=(-0.02, -0.2), borderaxespad=0, handlelength=2.4)
    return areas


def _check(kind: str, curves: Curves) -> None:
    if not curves:
        raise DataError(f"no curves for {kind}; expected at least one method")
    for name, curve in curves.items():
        if curve.ndim != 2 or not len(curve) or curve.shape[1] < 2:
            found = tuple(curve.shape)
            raise DataError(
                f"{kind} curves of {name} have shape {found}; expected (row, point) with two points or more"
            )
        if not bool(curve.isfinite().all()):
            raise DataError(f"{kind} curves of {name} hold NaN or infinite scores; leave such rows out")
