"""Accuracy against the size of an attack, one curve per model."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from corrigible.errors import DataError
from corrigible.figures import number
from corrigible.intervals import half_width
from corrigible.plots.features import numbers_in
from corrigible.plots.style import (
    WIDTH,
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


def attack_curves(
    epsilons: Sequence[float],
    accuracies: Mapping[str, Any],
    *,
    title: str = "",
    label: str = "attack size, in units of the input",
) -> Figure:
    """The mean accuracy of each model over seeds at each attack size, with Student's 95 % interval.

    Args:
        epsilons: the attack sizes, rising.
        accuracies: model -> its accuracy, (seed, attack size), a tensor, array or list.

    Raises:
        DataError: no models, fewer than two sizes, sizes that do not rise, or accuracies of another shape.
    """
    given = {name: numbers_in(found, f"accuracies of {name}") for name, found in accuracies.items()}
    _check(epsilons, given)
    figure = new_figure(2.75 + 0.18 * len(accuracies), width=0.75 * WIDTH, title=title)
    axes = quiet(figure.subplots(), grid="y")
    lines, told = [], []
    for place, (name, found) in enumerate(given.items()):
        values = found.double().numpy()
        mean, half = values.mean(axis=0), half_width(values)
        lines += axes.plot(epsilons, mean, color=colour_of(place), linewidth=1.6, linestyle=dashes_of(place))
        if half is not None:
            axes.fill_between(epsilons, mean - half, mean + half, color=colour_of(place), alpha=0.15, linewidth=0)
        told.append(f"{spoken_method(name)} {', '.join(number(value) for value in mean)}")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(epsilons[0], epsilons[-1])
    label_axes(axes, x=label, y="accuracy (share of rows predicted right)")
    names = [spoken_method(name) for name in accuracies]
    add_legend(axes, lines, names, loc="upper left", bbox_to_anchor=(-0.02, -0.2), borderaxespad=0, handlelength=2.4)
    if any(len(found) > 1 for found in given.values()):
        key_below(figure, "bands: 95 % intervals over seeds")
    sizes = ", ".join(number(size) for size in epsilons)
    return describe(figure, f"{title or 'Accuracy under attack'} at {label} {sizes}: {'; '.join(told)}")


def _check(epsilons: Sequence[float], accuracies: Mapping[str, Tensor]) -> None:
    if len(epsilons) < 2 or any(after <= before for before, after in pairwise(epsilons)):
        raise DataError(f"attack sizes are {list(epsilons)}; expected two or more, rising")
    if not accuracies:
        raise DataError("no accuracies; expected at least one model")
    for name, found in accuracies.items():
        if found.ndim != 2 or not len(found) or found.shape[1] != len(epsilons):
            expected = f"(seed, {len(epsilons)})"
            raise DataError(f"accuracies of {name} have shape {tuple(found.shape)}; expected {expected}")
