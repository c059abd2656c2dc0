"""A graph of causes among the columns of a table: each child with its causes."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from corrigible.errors import RecipeError, suggestion

Causes = Mapping[str, Sequence[str]]
"""Each child with its causes."""


def checked_causes(given: Any, known: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The graph, each child with its causes.

    Raises:
        RecipeError: something else than columns and lists of columns, an unknown column, or a circle.
    """
    if not isinstance(given, Mapping):
        raise RecipeError(f"causes is a {type(given).__name__}; expected {{child: [its causes]}}")
    found: dict[str, tuple[str, ...]] = {}
    for child, parents in given.items():
        listed = (parents,) if isinstance(parents, str) else tuple(parents) if isinstance(parents, Sequence) else None
        if listed is None:
            raise RecipeError(f"causes of {child!r} are {parents!r}; expected a list of columns")
        for name in (child, *listed):
            if name not in known:
                near = suggestion("column", str(name), known)
                raise RecipeError(f"causes name {name!r}, which is no column; {near}known: {', '.join(known)}")
        found[str(child)] = listed
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise RecipeError(f"causes run in a circle: {circle}; expected a graph without one") from error
    return found


def descendants(causes: Causes, attribute: str) -> list[str]:
    """What the attribute causes, directly or by way of others, each after its own causes."""
    found = {attribute}
    order = [name for name in TopologicalSorter(causes).static_order() if name in causes]
    for name in order:
        if found & set(causes[name]):
            found.add(name)
    return [name for name in order if name in found - {attribute}]
