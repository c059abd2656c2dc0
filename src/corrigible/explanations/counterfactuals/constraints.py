"""Which changes of a row are allowed, each as a value.

Each has ``satisfied(before, after)``, one truth value per row, of tables in original units; ``features``, the columns
it is about; and its own sentence, ``str(constraint)``. What holds a cell that has not changed is never refused: a row
may break a range before it is touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from jaxtyping import Bool

from corrigible.errors import RecipeError
from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.tables import (
    Table,
    is_at_most,
    is_unchanged,
    num_rows,
    numbers_in,
    ranks_in,
)
from corrigible.printable import plural


@dataclass(frozen=True)
class Immutable:
    """A feature that stays as it is, also where others would cause it to change."""

    feature: str

    @property
    def features(self) -> tuple[str, ...]:
        return (self.feature,)

    def satisfied(self, before: Table, after: Table) -> Bool[np.ndarray, " row"]:
        """Where the feature is as it was."""
        return is_unchanged(before, after, self.feature)

    def __str__(self) -> str:
        return f"{self.feature} must stay as it is"


@dataclass(frozen=True)
class Monotone:
    """A feature that may change in one direction only."""

    feature: str
    direction: str
    order: Sequence[str | float | int] = ()
    """Of a category, its values from low to high; empty for numbers, or where `Ordinal` gives the order."""

    def __post_init__(self) -> None:
        if self.direction not in ("up", "down"):
            raise RecipeError(f"direction of {self.feature!r} is {self.direction!r}; expected 'up' or 'down'")
        object.__setattr__(self, "order", tuple(self.order))

    @property
    def features(self) -> tuple[str, ...]:
        return (self.feature,)

    def satisfied(self, before: Table, after: Table) -> Bool[np.ndarray, " row"]:
        """Where the feature is as it was, or further in the direction; a cell that is or was empty has none."""
        first, second = (ranks_in(table, self.feature, self.order) for table in (before, after))
        moved = is_at_most(first, second) if self.direction == "up" else is_at_most(second, first)
        return np.asarray(moved | is_unchanged(before, after, self.feature))

    def __str__(self) -> str:
        return f"{self.feature} may only go {self.direction}"


@dataclass(frozen=True)
class Ordinal:
    """A feature whose values have an order, from low to high; it changes to these values only, and by steps counted so.

    The order is also that of `Monotone` for the feature, and a change costs by the number of steps.
    """

    feature: str
    order: Sequence[str | float | int]

    def __post_init__(self) -> None:
        is_list = isinstance(self.order, Sequence | np.ndarray) and not isinstance(self.order, str)
        is_plain = is_list and all(isinstance(value, str | Real) for value in self.order)
        if not is_plain or len(set(self.order)) != len(self.order) or len(self.order) < 2:
            raise RecipeError(f"order of {self.feature!r} is {self.order!r}; expected two or more different values")
        object.__setattr__(self, "order", tuple(self.order))

    @property
    def features(self) -> tuple[str, ...]:
        return (self.feature,)

    def satisfied(self, before: Table, after: Table) -> Bool[np.ndarray, " row"]:
        """Where the feature is as it was, or holds one of the values."""
        is_known = ~np.isnan(ranks_in(after, self.feature, self.order))
        return np.asarray(is_known | is_unchanged(before, after, self.feature))

    def __str__(self) -> str:
        return f"{self.feature} must be one of {', '.join(map(str, self.order))}"


@dataclass(frozen=True)
class Range:
    """A number that may change to values from ``low`` to ``high``, both allowed; None for no bound."""

    feature: str
    low: float | int | None = None
    high: float | int | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        is_number = all(isinstance(bound, Real) and not isinstance(bound, bool) for bound in bounds)
        if not bounds or not is_number or any(bound != bound for bound in bounds) or bounds != sorted(bounds):
            found = f"range of {self.feature!r} is {self.low!r} to {self.high!r}"
            raise RecipeError(f"{found}; expected numbers, a low and a high bound in this order, or one of them")

    @property
    def features(self) -> tuple[str, ...]:
        return (self.feature,)

    def satisfied(self, before: Table, after: Table) -> Bool[np.ndarray, " row"]:
        """Where the feature is as it was, or within the range."""
        found = numbers_in(after, self.feature)
        low, high = (-np.inf if self.low is None else self.low), (np.inf if self.high is None else self.high)
        within = is_at_most(np.full_like(found, low), found) & is_at_most(found, np.full_like(found, high))
        return np.asarray(within | is_unchanged(before, after, self.feature))

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            bound = self.high if self.low is None else self.low
            return f"{self.feature} must be at {'most' if self.low is None else 'least'} {_plain(bound)}"
        return f"{self.feature} must be from {_plain(self.low)} to {_plain(self.high)}"


@dataclass(frozen=True)
class MaxChanges:
    """At most so many features change; what others cause (`Causal`) is not counted."""

    most: int

    def __post_init__(self) -> None:
        if isinstance(self.most, bool) or not isinstance(self.most, Integral) or self.most < 1:
            raise RecipeError(f"the most changes are {self.most!r}; expected a whole number of at least 1")
        object.__setattr__(self, "most", int(self.most))

    @property
    def features(self) -> tuple[str, ...]:
        return ()

    def satisfied(self, before: Table, after: Table) -> Bool[np.ndarray, " row"]:
        """Where at most so many columns of ``after`` differ from ``before``."""
        changed = [~is_unchanged(before, after, str(name)) for name in after]
        return np.asarray(np.sum(changed, axis=0) <= self.most)

    def __str__(self) -> str:
        return f"at most {plural(self.most, 'feature')} may change"


@dataclass(frozen=True)
class Causal:
    """A change takes effect along a graph: what has causes is a function of them and of a noise, which the row keeps.

    To a number the noise is added; a category has one for each level, and the row holds the level of the largest sum.
    The functions are learned from the rows (see `effects`). What a person changes keeps its new value; what it causes
    follows. Not refused by itself: every row can come about.
    """

    causes: Mapping[str, Sequence[str]]
    """Each child with its causes, as `corrigible.audit` takes them."""

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for child, of in self.causes.items() for name in (child, *_listed(of))))

    def satisfied(self, before: Table, after: Table) -> Bool[np.ndarray, " row"]:
        """True everywhere: the graph says what follows from a change, not which change is allowed."""
        return np.ones(num_rows(after), dtype=bool)

    def __str__(self) -> str:
        return f"changes take effect on {', '.join(self.causes)}"


Constraint = Immutable | Monotone | Ordinal | Range | MaxChanges | Relation | Causal


def _listed(of: str | Sequence[str]) -> Sequence[str]:
    return (of,) if isinstance(of, str) else of


def _plain(value: float | int | None) -> str:
    return f"{value:,}".removesuffix(".0")
