"""A shallow decision tree that imitates a model, everywhere or around one row.

Breiman, Friedman, Olshen and Stone 1984, Classification and regression trees, grown on a model's answers as in Craven
and Shavlik 1996, Extracting tree-structured representations of trained networks: best leaf first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.original_units import Units
from corrigible.explanations.features import check_columns
from corrigible.explanations.question import Asked, Target
from corrigible.explanations.reading import meaning_of
from corrigible.explanations.surrogates._rule_text import RuleText, rule_text_of, written
from corrigible.explanations.surrogates._samples import Answered, samples_of
from corrigible.explanations.surrogates.fidelity import (
    Fidelity,
    agreement_of,
    commonest_of,
    effective_number_of,
    faithful_of,
    r2_of,
    require_growth_of,
)
from corrigible.figures import percent
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


@dataclass(frozen=True)
class Leaf:
    """The surrogate's output for the points that reach this leaf."""

    value: tuple[float, ...]
    """The share of each predicted class, or only the mean score."""
    share: float
    """Share of all points that reach this leaf, by weight."""


@dataclass(frozen=True)
class Split:
    """A split on one column."""

    column: int
    threshold: float
    """In the encoded column, as the model sees it."""
    below: "Split | Leaf"
    """The branch for values up to the threshold."""
    above: "Split | Leaf"
    share: float
    """Of all points, by weight."""


Node = Split | Leaf


@dataclass(frozen=True)
class TreeSurrogate:
    """A tree whose leaves give a class, or the mean score if one score is explained."""

    explained: str
    """``predicted class``, or the score and class in words."""
    root: Split | Leaf
    fidelity: Fidelity
    rule_text: RuleText

    @property
    def num_leaves(self) -> int:
        """The number of leaves."""
        return sum(1 for _ in leaves_of(self.root))

    def predict(self, x: Float[Tensor, " batch column"]) -> Tensor:
        """The class of each row, (batch,) whole numbers; or its score, in float64."""
        check_columns(x, self.rule_text.columns)
        values = torch.from_numpy(_values(self.root, x.detach().cpu().double().numpy())).to(x.device)
        return values[:, 0] if values.shape[1] == 1 else values.argmax(dim=1)

    def rules(self) -> str:
        """One line per leaf: its conditions in original units, its output, and its share of the points."""
        lines = [
            f"if {self.rule_text.of_path(path)}: {self._said(leaf)} ({percent(leaf.share, 0)} of points)"
            for leaf, path in leaves_of(self.root)
        ]
        return "\n".join([self.explained, *(f"  {line}" for line in lines), str(self.fidelity)])

    def _said(self, leaf: Leaf) -> str:
        if len(leaf.value) == 1:
            return written(leaf.value[0])
        best = int(np.argmax(leaf.value))
        return f"{self.rule_text.of_class(best)}, {percent(leaf.value[best], 0)} sure"


def leaves_of(node: Node) -> Iterator[tuple[Leaf, dict[int, tuple[float, float]]]]:
    """Each leaf from left to right, with the range (above, at most) that leads to it in each column tested."""

    def below(
        node: Node, path: dict[int, tuple[float, float]]
    ) -> Iterator[tuple[Leaf, dict[int, tuple[float, float]]]]:
        if isinstance(node, Leaf):
            yield node, path
            return
        low, high = path.get(node.column, (-np.inf, np.inf))
        yield from below(node.below, path | {node.column: (low, node.threshold)})
        yield from below(node.above, path | {node.column: (node.threshold, high)})

    return below(node, {})


def tree_surrogate(
    model: Callable[[Tensor], Any],
    x: Any,
    *,
    target: Target | None = None,
    around: Any = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    fidelity: float = 0.9,
    max_leaves: int = 16,
    samples: int = 4000,
    width: float = 0.75,
    columns: Columns | None = None,
    units: Units | None = None,
    class_names: Sequence[str] = (),
    seed: int = 0,
    rows_at_once: int | None = None,
) -> TreeSurrogate:
    """A decision tree of the predicted class, or of one score, grown until it is as faithful as wanted.

    It is fitted to the model's output on synthetic points made from ``x``. A second set of points decides when to stop,
    and a third gives the reported fidelity; each set is made from different rows of ``x``. If the wanted fidelity is
    not reached with ``max_leaves``, the most faithful tree is returned, and its rules say so.

    Args:
        model: a network, or any function of the rows that gives scores.
        x: rows of the table, (row, column), at least 8, as the model takes them; a tensor or array.
        target: None for the predicted class; or a class whose score is explained, or two of them, for the first rather
            than the second. For other tasks the number of the output; None for what the task explains by default.
        around: the row to explain, (column,); None for a surrogate of the whole model.
        score: the score of the target, if there is one; for other tasks by default the task's own.
        task: what the outputs mean, as in `explain`.
        fidelity: the agreement with the predicted class to reach; for a score, the R².
        samples: synthetic points in all; half of them are for fitting.
        width: width of the proximity kernel around a row, see `points_of`.
        columns: which columns make up which feature; categories stay categories.
        units: for rules in original units, where ``columns`` do not know them.

    Raises:
        DataError: x, around, the target or units do not fit; or the row is far from the data, so that fewer than 30
            points count in effect, or only copies of the row.
        RecipeError: an unknown score, a fidelity above 1, fewer than 2 leaves, too few samples, a width not above 0.
    """
    require_growth_of(fidelity, fewest=2, max_leaves=max_leaves)
    drawn = samples_of(
        model, x, around=around, columns=columns, samples=samples, width=width, seed=seed, rows_at_once=rows_at_once
    )
    rule_text = rule_text_of(drawn.columns, units, class_names)
    asked = None
    if target is not None or meaning_of(task, drawn.growing.outputs, score).task.name != "classes":
        asked = drawn.asked(target, score=score, task=task, of_classes="target_logit")

    def judged(root: Node, points: Answered) -> float:
        said = _values(root, points.x)
        if asked is None:
            return agreement_of(said.argmax(axis=1), points.predicted, points.weight)
        return r2_of(said[:, 0], asked.of(points.outputs).numpy(), points.weight)

    growing = _growing(drawn.growing, asked, max_leaves, seed)
    best = faithful_of(growing, lambda root: judged(root, drawn.stopping), fidelity)
    value, points = judged(best, drawn.held_out), drawn.held_out
    constant = commonest_of(points.predicted, points.weight) if asked is None else 0.0
    measure: Literal["agreement", "r2"] = "agreement" if asked is None else "r2"
    reached = Fidelity(measure, value, constant, fidelity, len(points.x), effective_number_of(points.weight))
    return TreeSurrogate("predicted class" if asked is None else rule_text.of_asked(asked), best, reached, rule_text)


def _growing(points: Answered, asked: Asked | None, max_leaves: int, seed: int) -> Iterator[Node]:
    """Trees with one more leaf each, until no further split is possible."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # Here, because it takes seconds to load.

    y = points.predicted if asked is None else asked.of(points.outputs).numpy()
    grower = DecisionTreeClassifier if asked is None else DecisionTreeRegressor
    for num_leaves in range(2, max_leaves + 1):
        grown = grower(max_leaf_nodes=num_leaves, random_state=seed % 2**32)
        grown.fit(points.x, y, sample_weight=points.weight)
        classes = grown.classes_ if asked is None else np.array([0])
        yield _node(grown.tree_, 0, classes, max(2, points.outputs.shape[1]) if asked is None else 1)
        if grown.tree_.n_leaves < num_leaves:
            return


def _node(tree: Any, place: int, classes: NDArray[np.int64], num_values: int) -> Node:
    share = float(tree.weighted_n_node_samples[place] / tree.weighted_n_node_samples[0])
    below, above = int(tree.children_left[place]), int(tree.children_right[place])
    if below == above:  # Both are -1 at a leaf.
        value = np.zeros(num_values)
        value[classes] = tree.value[place, 0]
        return Leaf(tuple((value / value.sum()).tolist() if num_values > 1 else value.tolist()), share)
    first, second = (_node(tree, child, classes, num_values) for child in (below, above))
    return Split(int(tree.feature[place]), float(tree.threshold[place]), first, second, share)


def _values(root: Node, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value of the leaf that each row reaches."""
    # Rounded as when the tree was grown: thresholds lie between such rounded values.
    x = x.astype(np.float32).astype(np.float64)
    found = np.zeros((len(x), len(next(leaves_of(root))[0].value)))
    for leaf, path in leaves_of(root):
        arrives = np.ones(len(x), dtype=bool)
        for column, (low, high) in path.items():
            arrives &= (low < x[:, column]) & (x[:, column] <= high)
        found[arrives] = leaf.value
    return found
