"""Which features act together: a symmetric heat map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.features import by_feature_pairs
from corrigible.figures import number
from corrigible.intervals import half_width
from corrigible.plots.features import FeatureNames, columns_named, numbers_in, require_features, strongest
from corrigible.plots.style import (
    DIVERGING,
    INK,
    MUTED,
    RULE,
    SMALL,
    colour_bar,
    describe,
    key_below,
    new_figure,
    on_two_lines,
    require_limit,
    text_style,
)
from corrigible.types import Columns

MOST_NUMBERED, MOST_CHARACTERS = 9, 7
"""With at most so many features the numbers are written into the cells, where none is longer than that."""


def interaction_matrix(
    values: Any,
    columns: FeatureNames = None,
    *,
    half: Any = None,
    diagonal: bool = True,
    max_features: int = 20,
    order: Sequence[str] = (),
    limit: float | None = None,
    title: str = "",
    label: str = "interaction, in units of the explained score",
) -> Figure:
    """The interaction of each pair of features; white at zero, the same distance from zero equally strong.

    Where intervals are known, pairs whose interval holds 0 are grey: they are within sampling error of nothing.

    Args:
        values: one per pair of columns, (column, column), summed over the columns of each feature; or of several rows,
            (row, column, column), whose mean is drawn with Student's 95 % intervals. A tensor, array or list.
        columns: which columns make up which feature: `Columns`, the table's encoder, or one name per column.
        half: half the width of each pair's 95 % interval, in the shape of ``values``, for one value per feature pair.
        diagonal: show each feature's own value; otherwise it is left empty, and the colours belong to the pairs alone.
        max_features: those that interact most strongly, summed over their pairs.
        order: features that come first, in this order; all others follow in the order of ``columns``.
        limit: the value with the full colour, for several matrices on one scale; None for the largest shown.

    Raises:
        DataError: a matrix that is not square, symmetric and finite, a limit that is not above 0, or names for another
            number of columns.
    """
    require_limit(limit)
    given = numbers_in(values, "values").double()
    _check(given)
    named = columns_named(columns, given.shape[-1])
    matrix, widths = _of_features(given, named, half)
    if not diagonal:
        np.fill_diagonal(matrix, np.nan)
    require_features(order, named)
    names = named.features
    shown = strongest(np.nansum(np.abs(matrix), axis=1), max_features)
    shown = sorted(shown, key=lambda place: (order.index(names[place]) if names[place] in order else len(order), place))
    matrix, names = matrix[np.ix_(shown, shown)], tuple(names[place] for place in shown)
    noise = None if widths is None else np.abs(matrix) <= widths[np.ix_(shown, shown)]
    limit = limit or (float(np.nanmax(np.abs(matrix))) if np.isfinite(matrix).any() else 0.0) or 1.0
    side = max(0.4 * len(names), 1.5)
    figure = new_figure(side + 1.7, width=max(side + 2.9, 4.4), title=title)
    axes = figure.subplots()
    drawn = _drawn(axes, matrix, limit, noise)
    _name_both_ways(axes, names)
    if len(names) <= MOST_NUMBERED:
        _write_numbers(axes, matrix, limit, noise)
    colour_bar(figure, drawn, ax=axes, label=label, shrink=0.9, aspect=18)
    if noise is not None:
        key_below(figure, "grey: within sampling error of 0")
    return describe(figure, f"{title or 'Interactions'} of {len(names)} features{_strongest_pair(matrix, names)}")


def _drawn(axes: Axes, matrix: np.ndarray, limit: float, noise: np.ndarray | None) -> Any:
    """The coloured squares, those within sampling error in grey over them; what is not given stays white."""
    norm = Normalize(-limit, limit)
    drawn = axes.imshow(matrix, cmap=DIVERGING.with_extremes(bad="white"), norm=norm, interpolation="nearest")
    if noise is not None:
        axes.imshow(np.where(noise, 0.0, np.nan), cmap=ListedColormap([RULE]), interpolation="nearest")
    return drawn


def _check(given: Tensor) -> None:
    if given.ndim not in (2, 3) or given.shape[-1] != given.shape[-2] or not given.numel():
        raise DataError(f"values have shape {tuple(given.shape)}; expected (column, column), or (row, column, column)")
    is_symmetric = torch.allclose(given, given.mT, rtol=1e-3, atol=1e-5 * float(given.abs().max()))
    if not bool(given.isfinite().all()) or not is_symmetric:
        raise DataError("the values are not finite and symmetric; give (m + m.mT) / 2 of finite numbers")


def _of_features(given: Tensor, columns: Columns, half: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """The value of each pair of features, and half the width of its interval where that is known."""
    rows = by_feature_pairs(given if given.ndim == 3 else given[None], columns).numpy()
    if half is None:
        flat = half_width(rows.reshape(len(rows), -1)) if len(rows) > 1 else None
        return rows.mean(axis=0), None if flat is None else flat.reshape(rows.shape[1:])
    widths = numbers_in(half, "half").double().numpy()
    if widths.shape != rows.shape[1:]:
        raise DataError(f"half has shape {widths.shape}; expected {rows.shape[1:]}: one per pair of features")
    return rows.mean(axis=0), widths


def _name_both_ways(axes: Axes, names: Sequence[str]) -> None:
    written = [on_two_lines(name) for name in names]
    axes.set_yticks(range(len(names)), written, parse_math=False)
    axes.set_xticks(range(len(names)), written, parse_math=False, rotation=90)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.0, linestyle="-")
    axes.tick_params(which="minor", length=0)


def _write_numbers(axes: Axes, matrix: np.ndarray, limit: float, noise: np.ndarray | None) -> None:
    """All with the decimals that give the limit two digits; none where one would not fit into its cell."""
    decimals = max(1 - int(np.floor(np.log10(limit))), 0)
    shown = {place: f"{value:.{decimals}f}" for place, value in np.ndenumerate(matrix) if np.isfinite(value)}
    if max(map(len, shown.values()), default=0) > MOST_CHARACTERS:
        return
    for (down, across), text in shown.items():
        is_noise = noise is not None and noise[down, across]
        ink = MUTED if is_noise else "white" if abs(matrix[down, across]) > 0.75 * limit else INK
        written = text.replace("-", "−") if float(text) else "0"
        axes.text(across, down, written, **text_style(color=ink, fontsize=6.5, ha="center", va="center"))


def _strongest_pair(matrix: np.ndarray, names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    pairs = np.abs(np.triu(np.nan_to_num(matrix), k=1))
    one, other = divmod(int(pairs.argmax()), len(names))
    return f"; strongest pair: {names[one]} and {names[other]}, {number(float(matrix[one, other]))}"
