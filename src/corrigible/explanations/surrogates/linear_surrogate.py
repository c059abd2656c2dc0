"""A sparse linear model of the score, for the whole model or around one row.

The features enter in the order of the LASSO path (Efron, Hastie, Johnstone and Tibshirani 2004, Least angle regression;
around a row: Ribeiro, Singh and Guestrin 2016). Their weights are then fitted by least squares, without shrinkage.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.original_units import Units
from corrigible.explanations.features import check_columns
from corrigible.explanations.question import Target
from corrigible.explanations.surrogates._rule_text import RuleText, rule_text_of, written
from corrigible.explanations.surrogates._samples import Answered, Samples, samples_of
from corrigible.explanations.surrogates.fidelity import (
    Fidelity,
    effective_number_of,
    faithful_of,
    r2_of,
    require_growth_of,
)
from corrigible.models.centring import one_hot_members
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


@dataclass(frozen=True)
class LinearSurrogate:
    """Score ≈ ``intercept`` + Σ ``coefficients`` × columns, with encoded columns as the model sees them."""

    explained: str
    """The score and class in words."""
    intercept: float
    coefficients: tuple[float, ...]
    """One per column; those of a category sum to 0; 0 for every feature that is not chosen."""
    chosen: tuple[str, ...]
    """The features that have a weight, in the order in which they entered."""
    fidelity: Fidelity
    rule_text: RuleText

    def predict(self, x: Float[Tensor, " batch column"]) -> Float[Tensor, " batch"]:
        """The score, in float64."""
        check_columns(x, self.rule_text.columns)
        return x.double() @ torch.tensor(self.coefficients, dtype=torch.float64, device=x.device) + self.intercept

    def rules(self) -> str:
        """The terms of the sum, one per line, in original units; the last line gives the fidelity."""
        columns, units = self.rule_text.columns, self.rule_text.units
        start, terms = self.intercept, []
        # Coefficients left by rounding are not rules.
        smallest = 1e-6 * max(map(abs, self.coefficients))
        for place in (place for name in self.chosen for place, of in enumerate(columns.feature) if of == name):
            weight = self.coefficients[place] / units.scale[place]
            start -= weight * units.shift[place]
            if abs(self.coefficients[place]) <= smallest:
                continue
            if columns.one_hot[place]:
                terms.append(f"{_signed(weight)} where {columns.feature[place]} is {self.rule_text.of_category(place)}")
            else:
                terms.append(f"{_signed(weight)} × {columns.names[place]}")
        return "\n".join([f"{self.explained} ≈ {written(start)}", *(f"  {term}" for term in terms), str(self.fidelity)])


def linear_surrogate(
    model: Callable[[Tensor], Any],
    x: Any,
    *,
    target: Target | None = None,
    around: Any = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    fidelity: float = 0.9,
    max_features: int = 10,
    samples: int = 4000,
    width: float = 0.75,
    columns: Columns | None = None,
    units: Units | None = None,
    class_names: Sequence[str] = (),
    seed: int = 0,
    rows_at_once: int | None = None,
) -> LinearSurrogate:
    """A sparse linear surrogate of the score, grown feature by feature until it is as faithful as wanted.

    It is fitted to the model's scores on synthetic points made from ``x``. A second set of points decides when to stop,
    and a third gives the reported fidelity; each set is made from different rows of ``x``. If the wanted fidelity is
    not reached with ``max_features``, the most faithful surrogate is returned, and its rules say so.

    Args:
        model: a network, or any function of the rows that gives scores.
        x: rows of the table, (row, column), at least 8, as the model takes them; a tensor or array.
        target: the class, or two of them for the first rather than the second; or for other tasks the number of the
            output. None for class 1 of two, around a row for the class predicted there, or for what the task explains
            by default.
        around: the row to explain, (column,); None for a surrogate of the whole model.
        score: by default the target's logit minus the largest other, which is above 0 where the target is predicted;
            for other tasks the task's own.
        task: what the outputs mean, as in `explain`.
        fidelity: the R² to reach.
        samples: synthetic points in all; half of them are for fitting.
        width: width of the proximity kernel around a row, see `points_of`.
        columns: which columns make up which feature and enter together; categories stay categories.
        units: for rules in original units, where ``columns`` do not know them.

    Raises:
        DataError: x, around, the target or units do not fit; or the row is far from the data, so that fewer than 30
            points count in effect, or only copies of the row.
        RecipeError: an unknown score, a fidelity above 1, fewer than 1 feature, too few samples, a width not above 0.
    """
    require_growth_of(fidelity, fewest=1, max_features=max_features)
    drawn = samples_of(
        model, x, around=around, columns=columns, samples=samples, width=width, seed=seed, rows_at_once=rows_at_once
    )
    rule_text = rule_text_of(drawn.columns, units, class_names)
    asked = drawn.asked(target, score=score, task=task, of_classes="margin")

    def judged(fitted: _Fitted, points: Answered) -> float:
        return r2_of(fitted.scores(points), asked.of(points.outputs).numpy(), points.weight)

    held_out = drawn.held_out
    growing = _growing(drawn, asked.of(drawn.growing.outputs).numpy(), max_features)
    best = faithful_of(growing, lambda fitted: judged(fitted, drawn.stopping), fidelity)
    value, effective = judged(best, held_out), effective_number_of(held_out.weight)
    return LinearSurrogate(
        explained=rule_text.of_asked(asked),
        intercept=best.intercept,
        coefficients=tuple(best.coefficients.tolist()),
        chosen=best.chosen,
        fidelity=Fidelity("r2", value, 0.0, fidelity, len(held_out.x), effective),
        rule_text=rule_text,
    )


@dataclass(frozen=True)
class _Fitted:
    intercept: float
    coefficients: NDArray[np.float64]
    chosen: tuple[str, ...]

    def scores(self, points: Answered) -> NDArray[np.float64]:
        return np.asarray(points.x @ self.coefficients + self.intercept)


def _growing(drawn: Samples, score: NDArray[np.float64], max_features: int) -> Iterator[_Fitted]:
    """Fits with one more feature each; a single fit without features if no column varies."""
    order = _entering_order(drawn.growing, score, drawn.columns)[:max_features]
    for count in range(min(1, len(order)), len(order) + 1):
        yield _fitted(drawn.growing, score, order[:count], drawn.columns)


def _entering_order(points: Answered, score: NDArray[np.float64], columns: Columns) -> list[str]:
    """The features in the order in which the first of their columns enters the LASSO path."""
    from sklearn.exceptions import ConvergenceWarning  # Here, because it takes seconds to load.
    from sklearn.linear_model import lars_path

    x, y = (values - points.weight @ values for values in (points.x, score))
    root = np.sqrt(points.weight)
    size = np.linalg.norm(x * root[:, None], axis=0)
    varying = (size > 1e-9 * np.abs(points.x).max(axis=0).clip(1)).nonzero()[0]
    if not len(varying):
        return []
    with warnings.catch_warnings():
        # One-hot columns sum to 1, so the last of them adds nothing; the path leaves it out with a warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, _, path = lars_path((x * root[:, None] / size.clip(1e-300))[:, varying], y * root, method="lasso")
    ever = (path != 0).any(axis=1)
    entering = varying[np.argsort(np.where(ever, (path != 0).argmax(axis=1), path.shape[1]), kind="stable")][
        : ever.sum()
    ]
    return list(dict.fromkeys(columns.feature[place] for place in entering))


def _fitted(points: Answered, score: NDArray[np.float64], chosen: Sequence[str], columns: Columns) -> _Fitted:
    """Least squares on the columns of the chosen features; the weights of a category are centred."""
    places = np.array([place for place, feature in enumerate(columns.feature) if feature in chosen], dtype=int)
    root = np.sqrt(points.weight)
    center, mean = points.weight @ points.x[:, places], float(points.weight @ score)
    x = (points.x[:, places] - center) * root[:, None]
    size = np.linalg.norm(x, axis=0)
    # A constant column gets no weight.
    size[size <= 1e-9 * np.abs(points.x[:, places]).max(axis=0).clip(1)] = np.inf
    coefficients = np.zeros(points.x.shape[1])
    if len(places):
        coefficients[places] = np.linalg.lstsq(x / size, (score - mean) * root, rcond=1e-9)[0] / size
    intercept = mean - float(center @ coefficients[places])
    member = one_hot_members(columns).double().numpy()
    if member.size:
        # The columns of a category sum to 1, so what their weights have in common belongs to the intercept.
        shared = coefficients @ member / member.sum(axis=0)
        coefficients, intercept = coefficients - member @ shared, intercept + float(shared.sum())
    return _Fitted(intercept, coefficients, tuple(chosen))


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'} {abs(value):.4g}"
