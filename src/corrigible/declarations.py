"""What a penalty or augmentation says of itself, so that nothing else need know it by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

Kind = Literal["penalty", "label loss", "augmentation"]
Rows = Literal["reviewed", "labelled"]
Said = Literal["irrelevant", "relevant"]
LooksAt = Literal["input", "layers", "own passes", "nothing"]
Function = TypeVar("Function", bound=Callable[..., Any])
ATTRIBUTE = "declaration"


@dataclass(frozen=True)
class Declaration:
    """What a penalty or augmentation is and needs; see `declared`."""

    kind: Kind = "penalty"
    rows: Rows = "reviewed"
    serves: frozenset[Said] = frozenset({"irrelevant"})
    looks_at: LooksAt | Callable[[Mapping[str, Any]], LooksAt] = "input"

    def looks_at_with(self, settings: Mapping[str, Any]) -> LooksAt:
        """What it looks at with these settings."""
        return self.looks_at(settings) if callable(self.looks_at) else self.looks_at


def declared(
    *,
    kind: Kind = "penalty",
    rows: Rows = "reviewed",
    serves: Iterable[Said] | None = None,
    looks_at: LooksAt | Callable[[Mapping[str, Any]], LooksAt] = "input",
) -> Callable[[Function], Function]:
    """A decorator that puts a `Declaration` on a function; a function without one is taken as these defaults say.

    Args:
        kind: a penalty; a label loss on changed rows; or an augmentation, which changes label batches.
        rows: the rows that it sees: those with feedback, or all labelled ones.
        serves: what people may have said for it to learn from it, any of them; None for "irrelevant" where it sees
            reviewed rows, and for nothing where it sees labelled ones.
        looks_at: what it needs of the pass over its rows: gradients with respect to the input, outputs of layers, no
            more than the model's output ("nothing"), or not even that ("own passes"); or a function of its settings
            that says so. The pass keeps no more than its penalties look at. An augmentation that looks at nothing does
            not use the model: several batches are then changed at once.
    """
    said = serves if serves is not None else ("irrelevant",) if rows == "reviewed" else ()
    declaration = Declaration(kind, rows, frozenset(said), looks_at)

    def declare(function: Function) -> Function:
        setattr(function, ATTRIBUTE, declaration)
        return function

    return declare


def declaration_of(function: Callable[..., Any]) -> Declaration:
    """What the function declares, also through ``functools.partial``."""
    while isinstance(function, partial):
        function = function.func
    found: Declaration = getattr(function, ATTRIBUTE, Declaration())
    return found
