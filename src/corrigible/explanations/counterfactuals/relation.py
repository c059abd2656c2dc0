"""A comparison of two columns, written as people write it: ``tenure <= age - 16``."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from corrigible.errors import RecipeError
from corrigible.explanations.counterfactuals.tables import Table, is_at_most, is_unchanged, numbers_in

_NUMBER = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_SIDE = re.compile(
    rf"(?:(?P<times>-?{_NUMBER})\s*\*\s*)?(?:`(?P<quoted>[^`]+)`|(?P<name>[^`*<>=]+?))(?:\s+(?P<sign>[+-])\s+(?P<plus>{_NUMBER}))?"
)
_PARTS = re.compile(r"(`[^`]+`|[^`<>=!])+|[<>=!]+")


class Side(NamedTuple):
    """One side of a comparison: ``times`` · ``feature`` + ``plus``."""

    feature: str
    times: float
    plus: float

    def of(self, table: Table) -> Float[np.ndarray, " row"]:
        """Its value in each row."""
        return self.times * numbers_in(table, self.feature) + self.plus


@dataclass(frozen=True)
class Relation:
    """A comparison that must hold wherever one of its two columns has changed: ``Relation("tenure <= age - 16")``.

    Each side is one column of numbers, optionally with a factor before it and a number added or taken away; the signs
    of addition stand between spaces, and a name with such signs in it between backquotes. The comparison is <=, <, >=
    or >. An empty cell breaks it.

    Raises:
        RecipeError: any other text.
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise RecipeError(f"the relation is {self.text!r}; expected a text, such as 'tenure <= age - 16'")
        _ = self.sides

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """The side that must be at most the other, and the other."""
        parts = [part.group().strip() for part in _PARTS.finditer(self.text)]
        found = [_side(part) for part in parts[::2]]
        if len(parts) != 3 or parts[1] not in ("<=", "<", ">=", ">") or None in found:
            what = f"the relation is {self.text!r}; expected a comparison of two columns, such as 'tenure <= age - 16'"
            raise RecipeError(f"{what}: [number *] column [+ or - number], with <=, <, >= or > between; else see Range")
        first, second = found
        assert first is not None and second is not None
        if first.feature == second.feature:
            raise RecipeError(f"the relation {self.text!r} compares a column with itself; expected two; see Range")
        return (first, second) if parts[1].startswith("<") else (second, first)

    @property
    def is_strict(self) -> bool:
        return "=" not in self.text

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(side.feature for side in self.sides)

    def satisfied(self, before: Table, after: Table) -> Bool[np.ndarray, " row"]:
        """Where the comparison holds, or neither column has changed."""
        low, high = (side.of(after) for side in self.sides)
        holds = ~is_at_most(high, low) & ~np.isnan(low + high) if self.is_strict else is_at_most(low, high)
        kept = [is_unchanged(before, after, name) for name in self.features]
        return np.asarray(holds | (kept[0] & kept[1]))

    def __str__(self) -> str:
        return f"{self.text} must hold"


def _side(text: str) -> Side | None:
    found = _SIDE.fullmatch(text)
    if found is None or not (name := (found["quoted"] or found["name"]).strip()):
        return None
    if not found["quoted"] and (re.fullmatch(rf"-?{_NUMBER}", name) or re.search(r"\s[+*/-]\s", name)):
        return None
    plus = float(found["plus"] or 0.0) * (-1 if found["sign"] == "-" else 1)
    return Side(name, float(found["times"] or 1.0), plus)
