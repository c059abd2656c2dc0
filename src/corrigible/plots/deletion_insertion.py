"""Deletion and insertion: the score while inputs are taken away or put back, the strongest first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from corrigible.errors import DataError, unknown
from corrigible.figures import number
from corrigible.intervals import half_width
from corrigible.plots.features import numbers_in
from corrigible.plots.style import (
    INK,
    WIDTH,
    add_legend,
    colour_of,
    dashes_of,
    describe,
    label_axes,
    limits_of_scores,
    new_figure,
    quiet,
    spoken_method,
    text_style,
)

Curves = Mapping[str, Any]
"""The score by method: each row's, at equal steps from all inputs as they are to all changed."""


def is_better_than_random(kind: str, curves: Any, random_order: Any) -> bool | None:
    """Whether the area under the rows' curves is better than in random order by more than chance; None for one row.

    For deletion a smaller area is better, for insertion a larger one. It is no better if the 95 % interval of the mean
    difference holds 0.

    Args:
        kind: "deletion" or "insertion".
        curves: the score of each row, (row, point); ``random_order`` likewise, or the mean over the rows, (1, point).
    """
    areas, by_chance = _areas(curves), _areas(random_order)
    gain = areas - (by_chance if len(by_chance) == len(areas) else by_chance.mean())
    half, mean = half_width(gain[:, None]), float(gain.mean())
    if half is None:
        return None
    return mean < -float(half[0]) if kind == "deletion" else mean > float(half[0])


def _areas(curves: Any) -> Any:
    """The area under each row's curve."""
    scores = numbers_in(curves, "curves").double().numpy()
    return (scores[:, 1:] + scores[:, :-1]).mean(axis=1) / 2


def deletion_insertion_curves(
    deletion: Curves,
    insertion: Curves | None = None,
    *,
    random_order: Mapping[str, Curves] | None = None,
    title: str = "",
    label: str = "score of the explained class",
) -> Figure:
    """The mean curve of each method over the rows, with Student's 95 % interval, and the area under it.

    An explainer that names the inputs that matter makes the score fall early in deletion, for a small area, and rise
    early in insertion, for a large one.

    Args:
        deletion: the score by method: each row's, (row, point), at equal steps from all inputs as they are to all
            changed. ``insertion`` likewise, the other way round.
        random_order: under "deletion" and "insertion" the curves of the same methods' models while inputs change in
            random order: dotted. An explanation that is no better than that says nothing; the key then says so.

    Raises:
        DataError: no methods, fewer than two points, or scores that are not finite.
    """
    given = {"deletion": deletion} | ({"insertion": insertion} if insertion else {})
    panels = {kind: _numbers(kind, curves) for kind, curves in given.items()}
    for kind in random_order or {}:
        if kind not in panels:
            raise DataError(unknown("kind of curves in random_order", kind, tuple(panels)))
    beside = {kind: _numbers(kind, (random_order or {}).get(kind, {}), least=0) for kind in panels}
    longest = max(len(panels[kind]) + len(beside[kind]) for kind in panels)
    height = 2.6 + 0.18 * (longest + 1)
    figure = new_figure(
        height,
        width=(1.25 if any(beside.values()) else 1.0) * (WIDTH if len(panels) == 2 else 0.7 * WIDTH),
        title=title,
    )
    told = []
    styles = {name: place for place, name in enumerate(dict.fromkeys([*deletion, *(insertion or ())]))}
    found = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (kind, curves) in zip(found, panels.items(), strict=True):
        areas = _draw(quiet(axes, grid="y"), kind, curves, beside[kind], styles)
        axes.set_title(kind, loc="left", **text_style(color=INK, fontweight="bold"))
        label_axes(axes, x=f"share of inputs {'removed' if kind == 'deletion' else 'put back'}")
        told += [f"{kind} {name} area {number(area)}" for name, area in areas.items()]
    label_axes(found[0], x=found[0].get_xlabel(), y=label)
    means = torch.cat(
        [curve.double().mean(dim=0) for of in (*panels.values(), *beside.values()) for curve in of.values()]
    )
    found[0].set_ylim(*limits_of_scores(float(means.min()), float(means.max())))
    return describe(figure, f"{title or 'Deletion and insertion curves'}: {'; '.join(told)}")


def _draw(axes: Axes, kind: str, curves: Curves, random_order: Curves, styles: Mapping[str, int]) -> dict[str, float]:
    """The area under each mean curve."""
    lines, legend, areas, band = list[Any](), list[str](), dict[str, float](), None
    every = [(name, curve, False) for name, curve in curves.items()]
    every += [(name, curve, True) for name, curve in random_order.items()]
    for name, curve, is_random in every:
        scores = curve.double().numpy()
        share, mean = np.linspace(0, 1, scores.shape[1]), scores.mean(axis=0)
        style = styles.get(name, len(styles))
        pattern = (0, (1, 1.5)) if is_random else dashes_of(style)
        width = 1.2 if is_random else 1.6
        lines += axes.plot(share, mean, color=colour_of(style), linewidth=width, linestyle=pattern)
        half = None if is_random else half_width(scores)
        if half is not None:
            band = axes.fill_between(share, mean - half, mean + half, color=colour_of(style), alpha=0.15, linewidth=0)
        said = f"{spoken_method(name)}{', random order' if is_random else ''}"
        areas[said] = float(_areas(mean[None])[0])
        is_compared = not is_random and name in random_order
        is_better = is_better_than_random(kind, curve, random_order[name]) if is_compared else None
        worth = ", no better than random" if is_better is False else ""
        legend.append(f"{said}: area {number(areas[said])}{worth}")
    axes.set_xlim(0, 1)
    if band is not None:
        lines.append(band)
        legend.append("band: 95 % interval over rows")
    add_legend(axes, lines, legend, loc="upper left", bbox_to_anchor=(-0.02, -0.2), borderaxespad=0, handlelength=2.4)
    return areas


def _numbers(kind: str, curves: Curves, *, least: int = 1) -> dict[str, Tensor]:
    if len(curves) < least:
        raise DataError(f"no curves for {kind}; expected at least one method")
    found = {name: numbers_in(curve, f"{kind} curves of {name}") for name, curve in curves.items()}
    for name, curve in found.items():
        if curve.ndim != 2 or not len(curve) or curve.shape[1] < 2:
            shape = tuple(curve.shape)
            raise DataError(
                f"{kind} curves of {name} have shape {shape}; expected (row, point) with two points or more"
            )
        if not bool(curve.isfinite().all()):
            raise DataError(f"{kind} curves of {name} hold NaN or infinite scores; leave such rows out")
    return found
