"""Rows as they would be if an attribute caused nothing, which show how far flips move predictions by chance alone.

A column that the attribute causes is drawn anew from its other causes: what a boosting of those expects, and the
residual of a drawn row; a category by its chances. So the attribute and the other causes go together as they do in the
rows, and only its effect is gone. What the column causes in turn follows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from corrigible.auditing.boosted import out_of_fold
from corrigible.auditing.causes import CausalModel, as_given
from corrigible.auditing.columns import Column, Numbers, matrix_of
from corrigible.boosting import Boosted, Chances


class NoEffect:
    """Draws rows in which an attribute has no effect."""

    def __init__(self, model: CausalModel, seed: int) -> None:
        self._model = model
        self._children = {
            name: _Child(model.columns, name, [n for n in model.causes[name] if n != model.attribute], seed)
            for name in model.order
            if model.attribute in model.causes[name]
        }

    def drawn(self, frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """The rows, with new values of everything that the attribute causes; empty cells stay so."""
        found, now = frame.copy(), dict(self._model.columns)
        for name in self._model.order:
            child = self._children.get(name)
            now[name] = self._model.given_causes(name, now) if child is None else child.drawn(now, rng)
            found[name] = as_given(frame[name], now[name])
        return found


class _Child:
    """A column that the attribute causes, learned from its other causes alone; residuals are of rows not learned from.

    Those of rows that were learned from are too small, and what chance brings would look small too.
    """

    def __init__(self, columns: Mapping[str, Column], name: str, causes: Sequence[str], seed: int) -> None:
        self._column, self._causes = columns[name], causes
        self._known = np.isfinite(self._column.values)
        x, is_category = _inputs(columns, causes, len(self._known))
        x, held = x[self._known], self._column.values[self._known]
        if self._column.is_number:
            self._residuals = held - out_of_fold(x, is_category, held[:, None], seed)[:, 0]
            self._expected = Boosted(x, held[:, None], is_category, seed)
        else:
            self._chances = Chances(x, held.astype(np.int64), is_category, seed)

    def drawn(self, now: Mapping[str, Column], rng: np.random.Generator) -> Column:
        """New values, given the causes as they are now."""
        x = _inputs(now, self._causes, len(self._known))[0][self._known]
        new = np.full(len(self._known), np.nan)
        new[self._known] = self._number(x, rng) if self._column.is_number else self._category(x, rng)
        return Column(self._column.name, new, self._column.levels)

    def _number(self, x: Numbers, rng: np.random.Generator) -> Numbers:
        found: Numbers = self._expected.predict(x)[:, 0] + rng.permutation(self._residuals)
        return found

    def _category(self, x: Numbers, rng: np.random.Generator) -> NDArray[np.int64]:
        ends = self._chances.predict(x).cumsum(axis=1)
        place = (ends < rng.random(len(x))[:, None]).sum(axis=1)
        found: NDArray[np.int64] = self._chances.classes[np.minimum(place, len(self._chances.classes) - 1)]
        return found


def _inputs(columns: Mapping[str, Column], names: Sequence[str], rows: int) -> tuple[Numbers, NDArray[np.bool_]]:
    """The columns side by side, (row, column), also none of them."""
    if not names:
        return np.empty((rows, 0)), np.zeros(0, dtype=bool)
    return matrix_of(columns[name] for name in names)
