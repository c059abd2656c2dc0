"""Which constraints are in the way of a change: each by itself, or several that must go together."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from corrigible.explanations.counterfactuals.constraints import Constraint

Possible = Callable[[Sequence[Constraint]], bool | None]
"""Whether there is a change under these constraints; None where that was not settled."""


class Obstacles(NamedTuple):
    """What is in the way."""

    constraints: tuple[Constraint, ...] = ()
    """Empty where a change is not possible without any constraint either, or where that was not settled."""
    is_each: bool = True
    """Whether there would be a change without any one of them; otherwise only without all of them together."""
    is_settled: bool = True

    def __str__(self) -> str:
        if self.is_each or len(self.constraints) < 2:
            return "; ".join(map(str, self.constraints))
        *first, last = map(str, self.constraints)
        return f"{', '.join(first)} and {last} together"


def obstacles(constraints: Sequence[Constraint], possible: Possible) -> Obstacles:
    """The constraints without any one of which there would be a change; otherwise several that are in the way together.

    Of the several none can stay: with any one of them there is again no change. They are found by adding one
    constraint after another to none, so that another set may be smaller.
    """
    constraints = [one for place, one in enumerate(constraints) if one not in constraints[:place]]
    without = [possible([other for other in constraints if other is not one]) for one in constraints]
    if each := tuple(one for one, is_possible in zip(constraints, without, strict=True) if is_possible):
        return Obstacles(each)
    free = possible(()) if len(constraints) > 1 else False
    if None in without or free is None:
        return Obstacles(is_settled=False)
    if not free:
        return Obstacles()
    left: list[Constraint] = []
    together: list[Constraint] = []
    for one in constraints:
        is_possible = possible([*left, one])
        if is_possible is None:
            return Obstacles(is_settled=False)
        (left if is_possible else together).append(one)
    return Obstacles(tuple(together), is_each=False)
