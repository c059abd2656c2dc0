"""All constraints of a search, checked against the schema, and which features they leave to be changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

import numpy as np
from jaxtyping import Bool

from corrigible.data.causes import checked_causes
from corrigible.data.class_order import MISSING
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counterfactuals.constraints import (
    Causal,
    Constraint,
    Immutable,
    MaxChanges,
    Monotone,
    Ordinal,
    Range,
)
from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.tables import Table, num_rows

One = TypeVar("One", bound=Constraint)


@dataclass(frozen=True)
class Allowed:
    """Constraints that fit the schema; `Monotone` of a category has the order that `Ordinal` gives."""

    constraints: tuple[Constraint, ...] = ()

    def of(self, kind: type[One]) -> list[One]:
        """The constraints of one kind."""
        return [one for one in self.constraints if isinstance(one, kind)]

    def about(self, feature: str) -> list[Constraint]:
        """The constraints that name the feature."""
        return [one for one in self.constraints if feature in one.features]

    @property
    def immutable(self) -> frozenset[str]:
        """The features that stay as they are."""
        return frozenset(one.feature for one in self.of(Immutable))

    @property
    def most_changes(self) -> int | None:
        """The most features that may change; None for any number."""
        return min((one.most for one in self.of(MaxChanges)), default=None)

    @property
    def orders(self) -> dict[str, Sequence[str | float | int]]:
        """The order of values, by feature."""
        return {one.feature: one.order for one in self.of(Ordinal)}

    def each(self, before: Table, after: Table, acted: Table | None = None) -> Bool[np.ndarray, " constraint row"]:
        """Whether each constraint holds for each row.

        Args:
            acted: the rows with what was changed alone, without what that causes; None where nothing is caused. The
                number of changes is counted there.
        """
        found = [
            one.satisfied(before, acted if acted is not None and isinstance(one, MaxChanges) else after)
            for one in self.constraints
        ]
        return np.stack(found) if found else np.ones((0, num_rows(after)), dtype=bool)

    def satisfied(self, before: Table, after: Table, acted: Table | None = None) -> Bool[np.ndarray, " row"]:
        """Whether all constraints hold for each row."""
        return np.asarray(self.each(before, after, acted).all(axis=0))


def allowed_by(constraints: Any, schema: Schema) -> Allowed:
    """The constraints, a list of them, checked: known features, of a kind that each is for.

    Raises:
        RecipeError: something that is no constraint, a direction of a category without order, two orders of one
            feature, two graphs of causes, or one that has a circle.
        DataError: an unknown column, a range or relation of a category, an order of unknown categories, or one that
            lacks some.
    """
    if isinstance(constraints, get_args(Constraint)):
        raise RecipeError(f"constraints is {constraints!r}; expected a list: [{constraints!r}]")
    if isinstance(constraints, str) or not isinstance(constraints, Sequence):
        raise RecipeError(f"constraints is {constraints!r}; expected a list of constraints, such as [Immutable('age')]")
    given = tuple(constraints)
    for one in given:
        if not isinstance(one, get_args(Constraint)):
            known = ", ".join(kind.__name__ for kind in get_args(Constraint))
            raise RecipeError(f"a constraint is {one!r}; expected one of {known}")
        for name in () if isinstance(one, Causal) else one.features:
            schema.place(name)
    found = Allowed(given)
    for several, what in ((found.of(Causal), "graphs of causes"), (found.of(Ordinal), "orders of one feature")):
        features = [one.feature if isinstance(one, Ordinal) else "" for one in several]
        if len(set(features)) < len(features):
            raise RecipeError(f"the constraints hold two {what}; expected one")
    return Allowed(tuple(_checked(one, found, schema) for one in given))


def _checked(one: Any, allowed: Allowed, schema: Schema) -> Constraint:
    if isinstance(one, Causal):
        return replace(one, causes=checked_causes(one.causes, schema.names))
    if isinstance(one, Range | Relation):
        for name in one.features:
            _require_number(name, one, schema)
    if isinstance(one, Ordinal):
        _require_levels(one, schema)
    if isinstance(one, Monotone):
        order = one.order or allowed.orders.get(one.feature, ())
        _require_all_levels(one.feature, one.order, schema)
        if schema[one.feature].is_category and not order:
            what = f"{one.feature!r} is a category, whose values have no order"
            raise RecipeError(f"{what}; add Ordinal({one.feature!r}, order=[…]), from low to high")
        return replace(one, order=order)
    found: Constraint = one
    return found


def _require_number(name: str, one: Constraint, schema: Schema) -> None:
    if schema[name].is_category:
        raise DataError(f"{one!r} is about {name!r}, a category; expected a column of numbers")


def _require_levels(one: Ordinal, schema: Schema) -> None:
    feature = schema[one.feature]
    if feature.is_category:
        for level in one.order:
            if str(level) not in feature.levels:
                raise DataError(f"{one.feature!r} has no value {level!r}; it has {', '.join(feature.levels)}")
        _require_all_levels(one.feature, one.order, schema)
    elif not all(isinstance(value, int | float) for value in one.order):
        raise DataError(f"{one.feature!r} holds numbers; expected an order of numbers, got {one.order!r}")


def _require_all_levels(name: str, order: Sequence[str | float | int], schema: Schema) -> None:
    """An order of a category names all of its levels: what has no place in it could not be compared."""
    lacking = set(schema[name].levels) - {str(level) for level in order} - {MISSING}
    if order and schema[name].is_category and lacking:
        raise DataError(
            f"the order of {name!r} lacks {min(lacking)!r}, which occurs; expected the place of every value"
        )
