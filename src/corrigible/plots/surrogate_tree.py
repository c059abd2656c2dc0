"""A tree surrogate, drawn from left to right: a question on each branch, an answer at each end."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from corrigible.explanations.surrogates.tree_surrogate import Leaf, Node, TreeSurrogate, leaves_of
from corrigible.figures import COLOURS, percent, shaded, short_number
from corrigible.plots.style import (
    DIVERGING,
    INK,
    MUTED,
    NORMAL,
    describe,
    ink_on,
    key_below,
    new_figure,
    shortened,
    text_style,
    unfaithful_title,
)

BRANCH = 1.75
"""Inches that one question takes across. ``ROW`` is what one leaf takes down, ``ANSWER`` what its text takes."""
ROW, ANSWER = 0.46, 2.1
LONGEST_QUESTION = 26
THICKEST = 5.0


class _Placed(NamedTuple):
    """A node with its place: the level across, the row of leaves down, and the branch that leads to it."""

    node: Node
    level: int
    down: float
    question: str
    children: tuple["_Placed", ...]


def surrogate_tree(found: TreeSurrogate, *, title: str = "") -> Figure:
    """The tree's questions from left to right; thicker branches are taken by more points.

    Each leaf says what the surrogate says there, and the share of points that arrive. The last line says how well the
    surrogate follows the model; where that is worse than was wanted, the title says so.
    """
    title = unfaithful_title(title or "Decision tree that imitates the model", found.fidelity)
    num_leaves = found.num_leaves
    root = _placed(found, found.root, 0, iter(range(num_leaves)), "")
    placed = list(_all(root))
    deepest = max(node.level for node in placed)
    height = ROW * (num_leaves + 0.4) + 0.5
    figure = new_figure(height, width=deepest * BRANCH + ANSWER + 0.3, title=title)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(-0.08, deepest + ANSWER / BRANCH)
    axes.set_ylim(num_leaves - 0.5, -0.8)
    axes.text(
        -0.08,
        -0.75,
        shortened(f"Explained: {found.explained}. Thicker branches: more points.", longest=90),
        **text_style(va="top"),
    )
    for node in placed:
        _draw_branches(axes, node)
        if isinstance(node.node, Leaf):
            _draw_leaf(axes, found, node, deepest)
    key_below(figure, str(found.fidelity))
    return describe(figure, f"{title}: {found.rules()}")


def _placed(found: TreeSurrogate, node: Node, level: int, rows: Iterator[int], question: str) -> _Placed:
    if isinstance(node, Leaf):
        return _Placed(node, level, float(next(rows)), question, ())
    asked = {"below": (-np.inf, node.threshold), "above": (node.threshold, np.inf)}
    children = tuple(
        _placed(found, getattr(node, side), level + 1, rows, found.rule_text.of_path({node.column: ends}))
        for side, ends in asked.items()
    )
    return _Placed(node, level, sum(child.down for child in children) / 2, question, children)


def _all(placed: _Placed) -> Iterator[_Placed]:
    yield placed
    for child in placed.children:
        yield from _all(child)


def _draw_branches(axes: Axes, placed: _Placed) -> None:
    for child in placed.children:
        width = max(THICKEST * child.node.share, 0.7)
        bend = ([placed.level, placed.level, child.level], [placed.down, child.down, child.down])
        axes.plot(*bend, color="#8c959f", linewidth=width, solid_joinstyle="round", solid_capstyle="butt")
        question = shortened(child.question, longest=LONGEST_QUESTION)
        axes.text(child.level - 0.95, child.down - 0.1, question, **text_style(color=INK, va="bottom", zorder=4))


def _draw_leaf(axes: Axes, found: TreeSurrogate, placed: _Placed, deepest: int) -> None:
    leaf = placed.node
    assert isinstance(leaf, Leaf)
    said, colour = _answer(found, leaf)
    axes.plot([placed.level, deepest], [placed.down] * 2, color=MUTED, linewidth=0.7, linestyle=(0, (1, 2)))
    box = {"boxstyle": "round,pad=0.28", "facecolor": colour, "edgecolor": "none"}
    style = text_style(color=ink_on(colour), fontsize=NORMAL, va="center", bbox=box)
    axes.text(deepest + 0.05, placed.down - 0.1, shortened(said, longest=24), **style)
    axes.text(
        deepest + 0.05,
        placed.down + 0.22,
        f"{percent(leaf.share, 0)} of points",
        **text_style(va="center", fontsize=6.5),
    )


def _answer(found: TreeSurrogate, leaf: Leaf) -> tuple[str, str]:
    """What the leaf says, and its colour: by class and certainty, or by the score's distance from zero."""
    if len(leaf.value) == 1:
        largest = max(abs(other.value[0]) for other, _ in leaves_of(found.root)) or 1.0
        return short_number(leaf.value[0]), to_hex(DIVERGING(0.5 + 0.5 * leaf.value[0] / largest))
    best = int(np.argmax(leaf.value))
    return f"{found.rule_text.of_class(best)}, {percent(leaf.value[best], 0)} sure", shaded(
        leaf.value[best], best % len(COLOURS)
    )
