"""The trees of a fitted ensemble as leaves, each the box of inputs that reach it.

A tree or forest adds up shares of classes or means, gradient boosting adds up scores. Either way the outputs are the
sum, over the trees, of the value of the one leaf that a row reaches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import UnsupportedModelError

Decision = Literal["first of the largest", "above 0", "at least 0", "identity", "exponential"]
"""How outputs become a prediction: a class, of two classes the second where the only score is above 0, or a number."""
FORESTS = ("RandomForestClassifier", "ExtraTreesClassifier", "RandomForestRegressor", "ExtraTreesRegressor")
TREES = ("DecisionTreeClassifier", "ExtraTreeClassifier", "DecisionTreeRegressor", "ExtraTreeRegressor")
BOOSTING = ("GradientBoostingClassifier", "GradientBoostingRegressor")
HISTOGRAMS = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
LINKS: dict[str, Decision] = {"IdentityLink": "identity", "LogLink": "exponential"}


@dataclass(frozen=True)
class Leaves:
    """All leaves of an ensemble, tree by tree."""

    num_columns: int
    tree: NDArray[np.int64]
    """The tree of each leaf, (leaf,)."""
    value: NDArray[np.float64]
    """What each leaf adds to the outputs, (leaf, output)."""
    start: NDArray[np.float64]
    """The outputs before the first tree, (output,)."""
    leaf: NDArray[np.int64]
    """The leaf of each condition, (condition,). A row reaches a leaf where it meets all of the leaf's conditions."""
    column: NDArray[np.int64]
    low: NDArray[np.float64]
    """A value meets a condition if it is above ``low`` and at most ``high``."""
    high: NDArray[np.float64]
    missing: NDArray[np.bool_]
    """Whether a missing value meets the condition, (condition,)."""
    precision: type[np.floating[Any]]
    """What a value is rounded to before it is compared."""
    decision: Decision
    classes: NDArray[Any] | None
    """The classes in the order of the outputs; None for numbers."""

    def met(self, x: NDArray[np.float64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which leaves a row may reach by what it holds in some columns, (leaf,)."""
        asked = np.isin(self.column, columns)
        held = x.astype(self.precision).astype(np.float64)[self.column[asked]]
        meets = np.where(np.isnan(held), self.missing[asked], (self.low[asked] < held) & (held <= self.high[asked]))
        found = np.ones(len(self.tree), dtype=bool)
        found[self.leaf[asked][~meets]] = False
        return found


class Condition(NamedTuple):
    """What a path through a tree asks of one column."""

    low: float = -np.inf
    high: float = np.inf
    missing: bool = True


class _Nodes(NamedTuple):
    """The nodes of one tree; a leaf is its own left child's stand-in, with ``left`` below 0."""

    left: NDArray[Any]
    right: NDArray[Any]
    column: NDArray[Any]
    threshold: NDArray[Any]
    missing_left: NDArray[Any]


def leaves_of(model: Any) -> Leaves:
    """The leaves of a fitted tree, forest or gradient boosting of scikit-learn.

    Raises:
        UnsupportedModelError: another model, one that is not fitted, several outputs, a first guess by a model of the
            user's own, or categories that the model itself splits.
    """
    name = type(model).__name__
    readers = {TREES: _of_tree, FORESTS: _of_forest, BOOSTING: _of_boosting, HISTOGRAMS: _of_histograms}
    reader = next((found for names, found in readers.items() if name in names), None)
    if reader is None or not type(model).__module__.startswith("sklearn."):
        known = ", ".join(name for names in readers for name in names)
        raise UnsupportedModelError(
            f"the model is a {name}; expected one of scikit-learn's {known}; of networks use counterfactuals"
        )
    if not hasattr(model, "n_features_in_"):
        raise UnsupportedModelError(f"this {name} is not fitted; call its fit first")
    return reader(model)


def _of_tree(model: Any) -> Leaves:
    return _of_average(model, [model])


def _of_forest(model: Any) -> Leaves:
    return _of_average(model, model.estimators_)


def _of_average(model: Any, trees: list[Any]) -> Leaves:
    if model.n_outputs_ != 1:
        raise UnsupportedModelError(f"the model predicts {model.n_outputs_} labels for a row; expected one")
    classes = getattr(model, "classes_", None)
    found = [(_nodes(each.tree_), each.tree_.value[:, 0, :] / len(trees)) for each in trees]
    start = np.zeros(found[0][1].shape[1])
    return _joined(
        model, found, start, np.float32, "identity" if classes is None else "first of the largest", classes=classes
    )


def _of_boosting(model: Any) -> Leaves:
    classes = getattr(model, "classes_", None)
    if not isinstance(model.init_, str) and not type(model.init_).__name__.startswith("Dummy"):
        given = type(model.init_).__name__
        raise UnsupportedModelError(f"boosting begins with a {given} of its own; expected init=None or 'zero'")
    # The first guess is the same for every row.
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]
    found = []
    for stage in model.estimators_:
        for output, each in enumerate(stage):
            value = np.zeros((each.tree_.node_count, len(start)))
            value[:, output] = model.learning_rate * each.tree_.value[:, 0, 0]
            found.append((_nodes(each.tree_), value))
    scores: Decision = "at least 0" if len(start) == 1 else "first of the largest"
    return _joined(model, found, start, np.float32, "identity" if classes is None else scores, classes=classes)


def _of_histograms(model: Any) -> Leaves:
    if model.is_categorical_ is not None:
        raise UnsupportedModelError(
            "the model splits categories itself (categorical_features); expected one-hot columns"
        )
    classes = getattr(model, "classes_", None)
    start = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    found = []
    for stage in model._predictors:
        for output, each in enumerate(stage):
            nodes, leaf = each.nodes, each.nodes["is_leaf"].astype(bool)
            left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
            value = np.zeros((len(nodes), len(start)))
            value[:, output] = nodes["value"]
            arrays = (nodes["feature_idx"], nodes["num_threshold"], nodes["missing_go_to_left"].astype(bool))
            found.append((_Nodes(left, right, *arrays), value))
    scores: Decision = "above 0" if len(start) == 1 else "first of the largest"
    if classes is None:
        link = type(model._loss.link).__name__
        if link not in LINKS:
            raise UnsupportedModelError(f"boosting has the link {link}; expected one of {', '.join(LINKS)}")
        scores = LINKS[link]
    return _joined(model, found, start, np.float64, scores, classes=classes)


def _nodes(tree: Any) -> _Nodes:
    return _Nodes(
        tree.children_left,
        tree.children_right,
        tree.feature,
        tree.threshold,
        np.asarray(tree.missing_go_to_left).astype(bool),
    )


def _joined(
    model: Any,
    trees: list[tuple[_Nodes, NDArray[np.float64]]],
    start: NDArray[np.float64],
    precision: type[np.floating[Any]],
    decision: Decision,
    *,
    classes: NDArray[Any] | None,
) -> Leaves:
    tree: list[int] = []
    value: list[NDArray[np.float64]] = []
    conditions: list[tuple[int, int, float, float, bool]] = []
    for number, (nodes, values) in enumerate(trees):
        for node, path in _paths(nodes):
            conditions.extend((len(tree), column, *condition) for column, condition in path.items())
            tree.append(number)
            value.append(values[node])
    leaf, column, low, high, missing = zip(*conditions, strict=True) if conditions else ((),) * 5
    return Leaves(
        model.n_features_in_,
        np.array(tree, dtype=np.int64),
        np.array(value, dtype=np.float64),
        start,
        np.array(leaf, dtype=np.int64),
        np.array(column, dtype=np.int64),
        np.array(low, dtype=np.float64),
        np.array(high, dtype=np.float64),
        np.array(missing, dtype=np.bool_),
        precision,
        decision,
        classes,
    )


def _paths(nodes: _Nodes) -> Iterator[tuple[int, dict[int, Condition]]]:
    """Each leaf from left to right, with what its path asks of each column."""
    waiting: list[tuple[int, dict[int, Condition]]] = [(0, {})]
    while waiting:
        node, path = waiting.pop()
        if nodes.left[node] < 0:
            yield node, path
            continue
        column, threshold = int(nodes.column[node]), float(nodes.threshold[node])
        goes_left = bool(nodes.missing_left[node])
        low, high, missing = path.get(column, Condition())
        below = Condition(low, min(high, threshold), missing and goes_left)
        above = Condition(max(low, threshold), high, missing and not goes_left)
        waiting.append((int(nodes.right[node]), path | {column: above}))
        waiting.append((int(nodes.left[node]), path | {column: below}))
