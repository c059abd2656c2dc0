"""Counterfactual flips along a graph of causes: what a row would be if its attribute were another, all else equal.

Pearl 2009, Causality, section 7.1: find the noise of each row (abduction), set the attribute (action), and compute its
descendants anew with the same noise (prediction). A number is f(causes) + noise, with f by boosting (Hoyer et al. 2009,
nonlinear causal discovery with additive noise models). A category is drawn from its chances given the causes by one
uniform number per row: the row keeps its number, drawn where it gives the category that the row holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from corrigible.auditing.columns import Column, Numbers, column_of, columns_in, matrix_of
from corrigible.auditing.stored import stored
from corrigible.boosting import Boosted, Chances
from corrigible.data.causes import Causes, descendants


@dataclass(frozen=True)
class CausalModel:
    """How the descendants of an attribute come about, learned from rows."""

    attribute: str
    causes: Causes
    order: tuple[str, ...]
    """The descendants, each after its own causes."""
    columns: Mapping[str, Column]
    learned: Mapping[str, Any]
    noise: Mapping[str, Numbers]
    """Of a number the residual of each row, of a category a number from 0 to 1; NaN where the cell is empty."""

    def flipped(self, frame: pd.DataFrame, values: Any) -> pd.DataFrame:
        """The rows with other values of the attribute, and what its descendants would then be; empty cells stay so."""
        found = frame.copy()
        found[self.attribute] = values
        now = dict(self.columns)
        # The levels keep their places, which learned models know.
        now[self.attribute] = _like(self.columns[self.attribute], pd.Series(values))
        for name in self.order:
            now[name] = self.given_causes(name, now)
            found[name] = as_given(frame[name], now[name])
        return found

    def given_causes(self, name: str, now: Mapping[str, Column]) -> Column:
        """What a descendant would be, given its causes as they are now, with the noise of each row."""
        x, _ = matrix_of(now[parent] for parent in self.causes[name])
        column = self.columns[name]
        return Column(name, self._number(name, x) if column.is_number else self._category(name, x), column.levels)

    def _number(self, name: str, x: Numbers) -> Numbers:
        found: Numbers = self.learned[name].predict(x)[:, 0] + self.noise[name]
        return found

    def _category(self, name: str, x: Numbers) -> Numbers:
        model, drawn = self.learned[name], self.noise[name]
        ends = model.predict(x).cumsum(axis=1)
        place = np.minimum((ends < drawn[:, None]).sum(axis=1), len(model.classes) - 1)
        found: Numbers = np.where(np.isnan(drawn), np.nan, model.classes[place])
        return found


def causal_model(
    frame: pd.DataFrame, causes: Causes, attribute: str, seed: int, rarest: int | None = None
) -> CausalModel:
    """The models of what the attribute causes, and the noise of each row of the frame.

    Args:
        rarest: rows of the smallest group of the attribute, whose effect must be learned too; None for numbers.
    """
    columns, rng = columns_in(frame), np.random.default_rng(seed)
    order = tuple(descendants(causes, attribute))
    learned: dict[str, Any] = {}
    noise: dict[str, Numbers] = {}
    for name in order:
        column = columns[name]
        x, is_category = matrix_of(columns[parent] for parent in causes[name])
        known = np.isfinite(column.values)
        if column.is_number:
            learned[name] = Boosted(x[known], column.values[known][:, None], is_category, seed, rarest=rarest)
            noise[name] = column.values - learned[name].predict(x)[:, 0]
        else:
            learned[name] = Chances(x[known], column.values[known].astype(np.int64), is_category, seed, rarest=rarest)
            noise[name] = _drawn(learned[name].predict(x), learned[name].classes, column.values, rng)
    return CausalModel(attribute, causes, order, columns, learned, noise)


def _drawn(probs: Numbers, classes: Any, values: Numbers, rng: np.random.Generator) -> Numbers:
    """A number from 0 to 1 for each row that gives the category it holds."""
    place = np.searchsorted(classes, np.nan_to_num(values))
    ends = probs.cumsum(axis=1)
    high = ends[np.arange(len(values)), place]
    low = high - probs[np.arange(len(values)), place]
    found: Numbers = np.where(np.isnan(values), np.nan, low + rng.random(len(values)) * (high - low))
    return found


def _like(column: Column, given: "pd.Series[Any]") -> Column:
    """New values with the levels of a column."""
    if column.is_number:
        return column_of(given, column.name)
    place = {level: float(number) for number, level in enumerate(column.levels)}
    return Column(column.name, np.array([place.get(str(value), np.nan) for value in given]), column.levels)


def as_given(original: "pd.Series[Any]", column: Column) -> "pd.Series[Any]":
    """The values of a column in the form of the column: the categories and dates as they were."""
    new = column.values
    if column.is_number:
        return stored(new, original)
    word = {str(value): value for value in original.dropna().unique()}
    values = [None if np.isnan(value) else word.get(column.levels[int(value)]) for value in new]
    if isinstance(original.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(values, dtype=original.dtype), index=original.index)
    is_plain = original.dtype.kind in "bO" and not any(value is None for value in values)
    return pd.Series(values, index=original.index, dtype=original.dtype if is_plain else object)
