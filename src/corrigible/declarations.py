"""Declarations: what a penalty or augmentation is and needs, so that no other code must know it by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar, get_args

Kind = Literal["penalty", "label loss", "augmentation"]
Rows = Literal["reviewed", "labelled"]
Said = Literal["irrelevant", "relevant"]
LooksAt = Literal["input", "layers", "own passes", "nothing", "weights"]
Function = TypeVar("Function", bound=Callable[..., Any])
ATTRIBUTE = "declaration"


@dataclass(frozen=True)
class Declaration:
    """What a penalty or augmentation is and needs; see `declared`."""

    kind: Kind = "penalty"
    rows: Rows = "reviewed"
    serves: frozenset[Said] = frozenset({"irrelevant"})
    looks_at: LooksAt | Callable[[Mapping[str, Any]], LooksAt] = "input"
    gap: Any = None
    """The `Gap` between groups that the penalty closes; None if it closes none."""
    is_own: bool = False
    """Whether it belongs to the network's own objective, so that training without feedback keeps it."""
    unit: str = ""
    """What its value is counted in, where curves show it; "" to say nothing."""

    def looks_at_with(self, settings: Mapping[str, Any]) -> LooksAt:
        """What the method looks at with these settings."""
        return self.looks_at(settings) if callable(self.looks_at) else self.looks_at


def declared(
    *,
    kind: Kind = "penalty",
    rows: Rows = "reviewed",
    serves: Iterable[Said] | None = None,
    looks_at: LooksAt | Callable[[Mapping[str, Any]], LooksAt] = "input",
    gap: Any = None,
    is_own: bool = False,
    unit: str = "",
) -> Callable[[Function], Function]:
    """A decorator that attaches a `Declaration` to a function; a function without one gets these defaults.

    Args:
        kind: a penalty; a label loss on changed rows; or an augmentation, which changes label batches.
        rows: the rows that it sees: reviewed rows, or all labelled rows.
        serves: the polarities of feedback that it can learn from; None for "irrelevant" if it sees reviewed rows, and
            for none if it sees labelled rows.
        looks_at: what it needs from the pass over its rows: gradients with respect to the input, outputs of layers,
            only the model's output ("nothing"), or not even that: passes of its own ("own passes") or only the weights,
            whatever the rows are ("weights"); or a function of its settings that returns one of these. The pass keeps
            only what its penalties look at. An augmentation that looks at nothing does not use the model; it gets the
            rows of several batches at once.
        gap: the `corrigible.group_gaps.Gap` that a penalty closes, which its weight may then be chosen to reach.
        is_own: whether it belongs to the network's own objective, feedback or not; baselines keep it.
        unit: what its value is counted in, where curves show it; "" to say nothing.

    Raises:
        ValueError: a value that is not one of these.
    """
    said = serves if serves is not None else ("irrelevant",) if rows == "reviewed" else ()
    require_known(kind, rows, said, looks_at)
    declaration = Declaration(kind, rows, frozenset(said), looks_at, gap, is_own, unit)

    def declare(function: Function) -> Function:
        setattr(function, ATTRIBUTE, declaration)
        return function

    return declare


def require_known(kind: Any, rows: Any, serves: Any, looks_at: Any) -> None:
    """Raises ValueError for what `declared` does not know."""
    if isinstance(serves, str):
        raise ValueError(f"serves is {serves!r}; expected a tuple such as ({serves!r},)")
    for value, known in ((kind, Kind), (rows, Rows), *((each, Said) for each in serves), (looks_at, LooksAt)):
        if not callable(value) and value not in get_args(known):
            raise ValueError(f"@declared got {value!r}; expected one of {', '.join(map(repr, get_args(known)))}")


def declaration_of(function: Callable[..., Any]) -> Declaration:
    """The function's declaration, also for a ``functools.partial``."""
    while isinstance(function, partial):
        function = function.func
    found: Declaration = getattr(function, ATTRIBUTE, Declaration())
    return found
