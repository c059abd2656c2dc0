"""Which features act together: a symmetric heat map."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from corrigible.errors import DataError
from corrigible.plots.features import FeatureNames, columns_named, signed_by_feature, strongest
from corrigible.plots.style import (
    DIVERGING,
    INK,
    RULE,
    SMALL,
    colour_bar,
    describe,
    new_figure,
    on_two_lines,
    text_style,
)

MOST_NUMBERED, MOST_CHARACTERS = 9, 7
"""With at most so many features the numbers are written into the cells, where none is longer than that."""


def interaction_matrix(
    values: Float[Tensor, " ..."],
    columns: FeatureNames,
    *,
    diagonal: bool = True,
    max_features: int = 20,
    limit: float | None = None,
    title: str = "",
    label: str = "interaction",
) -> Figure:
    """The interaction of each pair of features; white at zero, the same distance from zero equally strong.

    Args:
        values: one per pair of columns, summed over the columns of each feature.
        columns: which columns make up which feature, or one name per column.
        diagonal: show each feature's own value; otherwise it is left empty, and the colours belong to the pairs alone.
        max_features: those that interact most strongly, summed over their pairs, in the order of ``columns``.
        limit: the value with the full colour, for several matrices on one scale; None for the largest shown.

    Raises:
        DataError: a matrix that is not square, symmetric and finite, a limit that is not above 0, or names for another
            number of columns.
    """
    if limit is not None and not 0 < limit < float("inf"):
        raise DataError(f"the limit is {limit}; expected a number above 0")
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not len(values):
        raise DataError(
            f"values have shape {tuple(values.shape)}; expected (column, column), of one row or the mean of all"
        )
    given = values.detach().double().cpu()
    if not bool(given.isfinite().all()) or not torch.allclose(
        given, given.T, rtol=1e-3, atol=1e-5 * float(given.abs().max())
    ):
        raise DataError("the values are not finite and symmetric; give (m + m.T) / 2 of finite numbers")
    named = columns_named(columns, len(values))
    names: Sequence[str] = named.features
    matrix = signed_by_feature(torch.from_numpy(signed_by_feature(given, named).T), named)
    if not diagonal:
        np.fill_diagonal(matrix, np.nan)
    shown = sorted(strongest(np.nansum(np.abs(matrix), axis=1), max_features))
    matrix, names = matrix[np.ix_(shown, shown)], [names[place] for place in shown]
    limit = limit or (float(np.nanmax(np.abs(matrix))) if np.isfinite(matrix).any() else 0.0) or 1.0
    side = max(0.36 * len(names), 1.5)
    figure = new_figure(side + 1.5, width=max(side + 2.9, 4.0), title=title)
    axes = figure.subplots()
    drawn = axes.imshow(
        matrix, cmap=DIVERGING.with_extremes(bad=RULE), norm=Normalize(-limit, limit), interpolation="nearest"
    )
    _name_both_ways(axes, names)
    if len(names) <= MOST_NUMBERED:
        _write_numbers(axes, matrix, limit)
    colour_bar(figure, drawn, ax=axes, label=label, shrink=0.9, aspect=18)
    return describe(figure, f"{title or 'Interactions'} of {len(names)} features{_strongest_pair(matrix, names)}")


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


def _write_numbers(axes: Axes, matrix: np.ndarray, limit: float) -> None:
    """All with the decimals that give the limit two digits; none where one would not fit into its cell."""
    decimals = max(1 - int(np.floor(np.log10(limit))), 0)
    shown = {place: f"{value:.{decimals}f}" for place, value in np.ndenumerate(matrix) if np.isfinite(value)}
    if max(map(len, shown.values()), default=0) > MOST_CHARACTERS:
        return
    for (down, across), text in shown.items():
        ink = "white" if abs(matrix[down, across]) > 0.75 * limit else INK
        written = text.replace("-", "−") if float(text) else "0"
        axes.text(across, down, written, **text_style(color=ink, fontsize=6.5, ha="center", va="center"))


def _strongest_pair(matrix: np.ndarray, names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    pairs = np.abs(np.triu(np.nan_to_num(matrix), k=1))
    one, other = divmod(int(pairs.argmax()), len(names))
    return f"; strongest pair: {names[one]} and {names[other]}, {matrix[one, other]:.3g}"
