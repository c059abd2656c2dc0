"""Lindholm, Richman, Tsanakas and Wüthrich 2022, Discrimination-free insurance pricing.

A best-estimate model μ(x, d) sees the attribute d. A model without it, the unaware one, still discriminates: it infers
the attribute from x. The discrimination-free price h(x) = Σ_d μ(x, d) P(d) averages over the attribute with shares that
do not depend on x, so that nothing is inferred. Its mean may still differ between groups, as their risks x may.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags, TargetTags
from sklearn.utils.metaestimators import available_if
from torch import nn

from corrigible.data.dataset import TensorData, task_of
from corrigible.errors import DataError
from corrigible.figures import percent
from corrigible.html_table import table_html
from corrigible.prices.attributes import Attributes, attributes_of, portfolio_rows
from corrigible.prices.balance import Balance, balance_to
from corrigible.prices.best_estimate import BestEstimate, best_estimate
from corrigible.prices.given import exposure_of, numbers_of
from corrigible.printable import plural

MOST_SHOWN = 6


def discrimination_free_price(
    model: Any,
    X: Any,
    *,
    attributes: Any,
    exposure: Any = None,
    y: Any = None,
    values: Any = MappingProxyType({}),
) -> "DiscriminationFreePrice":
    """The discrimination-free price of a fitted model: a model whose predictions are averages over the attributes.

    Its ``predict`` takes rows with or without the attributes; what they hold there does not count. To price with one
    network that never sees them, let it learn: ``TabularRegressor(…).fit(X.drop(columns="sex"), y, teacher=price)``.
    The model predicts each row once for every combination of values, also for those that no such row has.

    Args:
        model: the best estimate: an estimator, a fitted scikit-learn model or pipeline, a function of rows, or a
            network. Of classes it gives probabilities; of counts, as ever, predictions per unit of exposure.
        X: the portfolio that was modelled, with the attributes as columns: a frame or an array; for a network, the
            encoded rows as `TensorData`, whose task says what the outputs mean.
        attributes: the names of columns, or of an array their places, several as a list: averaged over as they occur
            together. All columns of a category that is encoded as several are named.
        exposure: of each row; shares and balance count by it. None for 1.
        y: what was observed, to which prices then sum; None for the sum of the model's own predictions.
        values: the values to average over of an attribute that is a number, ``{"age": [20, 40, 60]}``, each for the
            rows nearest to it. Without them, one of more than 20 values is averaged over the means of 20 parts of the
            portfolio.

    Raises:
        DataError: attributes that are no columns, hold a single value, or take too many values together.
        UnsupportedModelError: no model, or one that fails on these rows.
    """
    if isinstance(model, nn.Module) and not isinstance(X, TensorData):
        raise DataError(f"X is a {type(X).__name__}; for a network expected TensorData(x, y, task=…), its encoded rows")
    estimate = best_estimate(model, X, task_of(X) if isinstance(X, TensorData) else None)
    rows = portfolio_rows(X)
    weight = exposure_of(exposure, len(rows))
    found = attributes_of(rows, attributes, weight, values)
    own = estimate.of(rows)
    raw = _averaged(estimate, found, rows)
    aims = own if y is None else _observed(y, own, estimate.classes, weight)
    balance = balance_to(raw, aims, weight)
    return DiscriminationFreePrice(balance(raw), estimate, found, balance, own.ndim == 2)


def _is_of_classes(price: "DiscriminationFreePrice") -> bool:
    return price.is_of_classes


@dataclass(frozen=True, repr=False)
class DiscriminationFreePrice:
    """A price that is averaged over attributes, as a model in scikit-learn's conventions; made by the function."""

    prices: NDArray[np.float64]
    """Of the portfolio that was given; of classes their probabilities."""
    estimate: BestEstimate
    attributes: Attributes
    balance: Balance
    """What the averages were changed by, so that the prices of the portfolio sum to what they must."""
    is_of_classes: bool

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes that probabilities are of."""
        if self.estimate.classes is None:
            raise AttributeError("the model names no classes")
        return np.asarray(self.estimate.classes)

    def __sklearn_tags__(self) -> Tags:
        kind = "classifier" if self.is_of_classes else "regressor"
        return Tags(estimator_type=kind, target_tags=TargetTags(required=True))

    def predict(self, X: Any) -> NDArray[Any]:
        """The price of each row, per unit of exposure if the model's predictions are; of classes the likeliest one.

        Raises:
            DataError: rows with other columns than the portfolio.
            UnsupportedModelError: the model fails on them.
        """
        found = self(X)
        if not self.is_of_classes:
            return found
        named: NDArray[Any] = np.arange(found.shape[1]) if self.estimate.classes is None else self.classes_
        likeliest: NDArray[Any] = named[found.argmax(axis=1)]
        return likeliest

    @available_if(_is_of_classes)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each class, (row, class); only for models of classes."""
        return self(X)

    def __call__(self, X: Any) -> NDArray[np.float64]:
        return self.balance(_averaged(self.estimate, self.attributes, portfolio_rows(X)))

    def __repr__(self) -> str:
        unknown = self.attributes.num_unknown
        lacking = f"; {plural(unknown, 'row')} lacked a value and did not count for the shares" if unknown else ""
        names = ", ".join(map(str, self.attributes.names))
        shown = [f"{' '.join(words)} {share}" for *words, share in self._shares()]
        more = f", … ({len(shown)} in all)" if len(shown) > MOST_SHOWN else ""
        return f"discrimination-free price, averaged over {names} ({', '.join(shown[:MOST_SHOWN])}{more}); " + (
            f"{self.balance}{lacking}"
        )

    def _repr_html_(self) -> str:
        return table_html([*map(str, self.attributes.names), "share"], self._shares())

    def _shares(self) -> list[list[str]]:
        rows = self.attributes.shares.itertuples(index=False)
        return [[*(_written(value) for value in values), percent(share)] for *values, share in rows]


def _averaged(estimate: BestEstimate, attributes: Attributes, rows: Any) -> NDArray[np.float64]:
    """Σ_d μ(x, d) P(d) for each row."""
    total: Any = 0.0
    for share, held in attributes.rows_with(rows):
        total = total + share * estimate.of(held)
    found: NDArray[np.float64] = total
    return found


def _observed(y: Any, own: NDArray[np.float64], classes: Any, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """What was observed of each row, in the form of its prediction: per unit of exposure, or 1 for its class."""
    if own.ndim == 1:
        return numbers_of("y", y, len(own)) / weight
    known = np.arange(own.shape[1]) if classes is None else np.asarray(classes)
    labels = np.asarray(y)
    if labels.shape != (len(own),):
        raise DataError(f"y has shape {labels.shape}; expected one class for each of the {len(own):,} rows")
    found: NDArray[np.float64] = (labels[:, None] == known).astype(np.float64)
    if found.shape != own.shape or not bool(found.any(axis=1).all()):
        raise DataError(f"y holds other classes than the model, {', '.join(map(str, known))}; give one of each row")
    return found


def _written(value: Any) -> str:
    is_fraction = isinstance(value, float) and not value.is_integer()
    return f"{value:.4g}" if is_fraction else str(int(value) if isinstance(value, float) else value)
