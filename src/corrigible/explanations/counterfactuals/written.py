"""Which changes are allowed, as the part ``[counterfactuals]`` of a recipe says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from corrigible.errors import RecipeError
from corrigible.explanations.counterfactuals.constraints import (
    Constraint,
    Immutable,
    MaxChanges,
    Monotone,
    Ordinal,
    Range,
)
from corrigible.explanations.counterfactuals.relation import Relation


@dataclass(frozen=True, kw_only=True)
class WrittenChanges:
    """Which changes of a row are allowed, by the names of columns, and on which split they are sought."""

    split: str = "test"
    immutable: Sequence[str] = ()
    relations: Sequence[str] = ()
    """Comparisons of two columns, as `Relation` reads them."""
    max_changes: int | None = None
    monotone: Mapping[str, Any] = field(default_factory=dict)
    """"up" or "down"."""
    ordinal: Mapping[str, Any] = field(default_factory=dict)
    """The values from low to high."""
    ranges: Mapping[str, Any] = field(default_factory=dict)
    """The lowest and the highest value; infinite for no bound."""
    units: Mapping[str, Any] = field(default_factory=dict)
    """Words for the units of numbers."""

    def __post_init__(self) -> None:
        for name, unit in self.units.items():
            if not isinstance(unit, str):
                raise RecipeError(f"the unit of {name!r} is {unit!r}; expected a word, such as 'dollars'")
        _ = self.constraints  # Which checks them.

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The constraints, which `allowed_by` checks against a table.

        Raises:
            RecipeError: values that no constraint takes.
        """
        most = [] if self.max_changes is None else [MaxChanges(self.max_changes)]
        return (
            *map(Immutable, self.immutable),
            *(Monotone(name, direction) for name, direction in self.monotone.items()),
            *(Ordinal(name, order) for name, order in self.ordinal.items()),
            *(_range(name, bounds) for name, bounds in self.ranges.items()),
            *map(Relation, self.relations),
            *most,
        )


def _range(name: str, bounds: Any) -> Range:
    is_pair = isinstance(bounds, list | tuple) and len(bounds) == 2
    if not is_pair or not all(isinstance(bound, Real) and not isinstance(bound, bool) for bound in bounds):
        raise RecipeError(f"range of {name!r} is {bounds!r}; expected [low, high], with -inf or inf for no bound")
    low, high = bounds
    return Range(name, None if low == float("-inf") else low, None if high == float("inf") else high)
