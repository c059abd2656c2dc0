"""A linear surrogate: the weight of each term."""

import numpy as np
from matplotlib.figure import Figure

from corrigible.explanations.surrogates.linear_surrogate import LinearSurrogate
from corrigible.figures import number, signed
from corrigible.plots.features import strongest
from corrigible.plots.style import (
    FAINT,
    INK,
    NEGATIVE,
    POSITIVE,
    SIGNS,
    describe,
    key_below,
    label_axes,
    limits_around,
    name_rows,
    new_figure,
    quiet,
    row_height,
    text_style,
    unfaithful_title,
)


def surrogate_bars(found: LinearSurrogate, *, max_terms: int = 20, title: str = "") -> Figure:
    """The surrogate's weights, the strongest on top: what a term adds per unit of the column as the model sees it.

    Those of standardised numbers are per standard deviation, those of a category are for being it; so they can be
    compared. The last line says how well the surrogate follows the model.

    Raises:
        DataError: fewer than one term wanted.
    """
    title = unfaithful_title(title or "Weighted sum that imitates the model", found.fidelity)
    weights = np.array(found.coefficients)
    chosen = [place for place in strongest(np.abs(weights), max_terms) if weights[place]]
    columns = found.rule_text.columns
    names = [
        f"{columns.feature[place]} is {found.rule_text.of_category(place)}"
        if columns.one_hot[place]
        else columns.names[place]
        for place in chosen
    ]
    figure = new_figure(1.15 + row_height(names) * max(len(chosen), 1), title=title)
    axes = quiet(figure.subplots(), grid="x")
    shown = weights[chosen]
    axes.barh(range(len(chosen)), shown, height=0.62, color=[POSITIVE if w > 0 else NEGATIVE for w in shown])
    axes.axvline(0, color=FAINT, linewidth=1.0)
    span = max(float(np.abs(shown).max(initial=0.0)), 1e-12)
    for level, weight in enumerate(shown.tolist()):
        side = 1 if weight > 0 else -1
        style = text_style(color=INK, va="center", ha="left" if side > 0 else "right")
        axes.text(weight + side * 0.02 * span, level, signed(weight), **style)
    low, high = min(shown.min(initial=0.0), 0.0), max(shown.max(initial=0.0), 0.0)
    axes.set_xlim(*limits_around(low - 0.2 * span * (low < 0), high + 0.2 * span * (high > 0)))
    name_rows(axes, names)
    num_left_out = int((weights != 0).sum()) - len(chosen)
    rest = f"; {num_left_out} smaller terms not shown" if num_left_out else ""
    label = f"weight in the {found.explained}, per standard deviation or for being the category"
    label_axes(axes, x=f"{label}; constant {number(found.intercept)}{rest}")
    key_below(figure, SIGNS, str(found.fidelity))
    return describe(figure, f"{title}: {found.rules()}")
