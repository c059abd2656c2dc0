"""One row of a table before an ensemble: what of it may change, and the cheapest change with a wanted answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.data.original_units import units_in
from corrigible.explanations.counterfactuals.allowed import Allowed
from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.tables import NEAR
from corrigible.explanations.counterfactuals.trees_branching import branched
from corrigible.explanations.counterfactuals.trees_choices import Choices, Held, choices_of
from corrigible.explanations.counterfactuals.trees_descent import descended
from corrigible.explanations.counterfactuals.trees_examples import Examples, from_examples
from corrigible.explanations.counterfactuals.trees_found import NOTHING, Asking, Found
from corrigible.explanations.counterfactuals.trees_grid import Grid
from corrigible.explanations.counterfactuals.trees_problem import Problem, problem_of
from corrigible.explanations.counterfactuals.trees_program import programmed
from corrigible.explanations.counterfactuals.trees_related import Related, holds
from corrigible.explanations.counterfactuals.trees_single import best_leaf
from corrigible.explanations.counterfactuals.trees_wishes import Wanted

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """An ensemble and the table that its rows are of."""

    grid: Grid
    schema: Schema
    predict: Callable[[Floats], NDArray[Any]]
    """The model's predictions for rows, (row, column)."""
    precision: type[np.floating[Any]]
    """What numbers of a changed row are rounded to."""
    examples: Examples | None = None
    """Rows of data, if there are any."""


@dataclass(frozen=True)
class Row:
    """A row and what constraints leave of its changes."""

    subject: Subject
    x: Floats
    """(column,)"""
    values: Floats
    """(feature,): in original units, of categories the place of the level; NaN where empty."""
    allowed: Allowed

    @cached_property
    def limits(self) -> dict[int, tuple[float, float]]:
        """The features that may change, and between what relations to columns that stay keep their numbers.

        They hold something, and no constraint keeps them as they are.
        """
        free = {
            place: (-np.inf, np.inf)
            for place, feature in enumerate(self.subject.schema.features)
            if feature.places and feature.name not in self.allowed.immutable and not np.isnan(self.values[place])
        }
        while True:
            found = {place: self._limits(place, free) for place in free}
            left = {place: (low, high) for place, (low, high) in found.items() if low <= high}
            if len(left) == len(free):
                return left
            free = left

    @property
    def features(self) -> list[int]:
        """The features that may change."""
        return list(self.limits)

    @cached_property
    def held(self) -> list[Held]:
        """What those hold."""
        schema, units = self.subject.schema, units_in(self.subject.schema.columns)
        found = []
        for place in self.features:
            feature = schema.features[place]
            value = self.values[place] if feature.is_category else self.x[feature.places[0]]
            found.append(Held(feature, float(value), units, self.subject.precision))
        return found

    @cached_property
    def choices(self) -> list[Choices]:
        """What each of them may change to."""
        related = {feature for _, *both in self._relations() for feature in both}
        return [
            choices_of(held, self.subject.grid.splits[place], self.allowed, self.limits[place], apart=place in related)
            for place, held in zip(self.features, self.held, strict=True)
        ]

    def problem(self, wanted: Wanted) -> Problem:
        """The search for the cheapest change with the answer; only if some feature may change."""
        grid, schema = self.subject.grid, self.subject.schema
        kept = [
            column
            for place, feature in enumerate(schema.features)
            for column in (*feature.places, *(() if feature.mark is None else (feature.mark,)))
            if place not in self.features or column == feature.mark
        ]
        reachable = grid.leaves.met(self.x, np.array(kept, dtype=np.int64))
        return problem_of(
            grid,
            self.features,
            self.choices,
            reachable,
            weight=wanted.weight,
            needed=wanted.needed,
            most_changes=self.allowed.most_changes,
            distinct=frozenset(self.related.features if self.related else ()),
        )

    @cached_property
    def related(self) -> Related | None:
        """The relations of which both columns may change, if there are any."""
        at = {place: number for number, place in enumerate(self.features)}
        relations = [(one, at[low], at[high]) for one, low, high in self._relations() if low in at and high in at]
        return Related(tuple(relations), self.held, self.choices) if relations else None

    def changed(self, found: Found) -> Floats:
        """The row after the change, as the model takes it."""
        assert found.chosen is not None
        x = self.x.copy()
        for number, (held, choices, place) in enumerate(zip(self.held, self.choices, found.chosen, strict=True)):
            columns = list(held.feature.places)
            if place == 0:
                continue
            if held.feature.is_category:
                x[columns] = 0.0
                x[columns[int(choices.value[place])]] = 1.0
            elif number in found.numbers:
                x[columns[0]] = held.encoded(np.array([found.numbers[number]]))[0]
            else:
                x[columns[0]] = choices.value[place]
        return x

    def _relations(self) -> list[tuple[Relation, int, int]]:
        schema = self.subject.schema
        return [
            (one, *(schema.place(side.feature) for side in one.sides))  # type: ignore[misc]
            for one in self.allowed.of(Relation)
        ]

    def _limits(self, place: int, free: Mapping[int, object]) -> tuple[float, float]:
        """Between what relations to features that are not free keep a number; nothing where one of them is empty."""
        low, high = -np.inf, np.inf
        for relation, *both in self._relations():
            other = both[1 - both.index(place)] if place in both else place
            if place in both and other not in free:
                held = float(self.values[other])
                bounds = (np.inf, -np.inf) if np.isnan(held) else _solved_for(relation, both.index(place), held)
                low, high = max(low, bounds[0]), min(high, bounds[1])
        return low, high


def _solved_for(relation: Relation, side: int, other: float) -> tuple[float, float]:
    """Between what the number of one side must be where the other is known."""
    mine, theirs = relation.sides[side], relation.sides[1 - side]
    if mine.times == 0:
        numbers = (0.0, other) if side == 0 else (other, 0.0)
        return (-np.inf, np.inf) if holds(relation, *numbers) else (np.inf, -np.inf)
    bound = theirs.times * other + theirs.plus
    aside = 2 * NEAR * max(abs(bound), abs(mine.plus)) if relation.is_strict else 0.0
    end = (bound + (-aside if side == 0 else aside) - mine.plus) / mine.times
    return (-np.inf, end) if (side == 0) == (mine.times > 0) else (end, np.inf)


def cheapest_change(row: Row, wanted: Wanted, *, method: str, limit: float, until: float) -> Found:
    """The cheapest change of a row with the wanted answer, if it costs less than the limit.

    Args:
        limit: what a change must cost less than.
        until: when to stop, as `time.monotonic` counts.
    """
    nothing = replace(NOTHING, cost=limit)
    if not row.features:
        return replace(nothing, bound=limit)

    def answers(point: Found) -> bool:
        return bool(wanted.holds(row.subject.predict(row.changed(point)[None]))[0])

    asking, problem = Asking(answers, row.related), row.problem(wanted)
    if len(problem.tree_start) == 1 and row.related is None:
        return best_leaf(problem, asking, limit=limit)
    point, examples = descended(problem), row.subject.examples
    if point is None and examples is not None:
        near = examples.x[examples.near(row.values, row.held, row.features, wanted)]
        point = from_examples(
            problem, near, row.held, row.choices, [row.subject.grid.splits[at] for at in row.features]
        )
    known = nothing
    if point is not None and problem.cost[point].sum() < limit:
        chosen = problem.origin[point]
        if row.related is None or row.related.hold(chosen):
            known = Found(chosen, float(problem.cost[point].sum()), -np.inf)
    search = programmed if method == "program" else branched
    return search(problem.within(known.cost), asking, known=known, until=until)


def any_change(row: Row, wanted: Sequence[Wanted], *, until: float) -> bool | None:
    """Whether any change of a row gives one of the answers; None where that was not found out in time."""
    found = [cheapest_change(row, one, method="branching", limit=np.inf, until=until) for one in wanted]
    if any(one.chosen is not None for one in found):
        return True
    return False if all(one.is_proven for one in found) else None
