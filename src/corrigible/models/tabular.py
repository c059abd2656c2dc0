"""The network that a table is learned by, unless another is chosen."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from corrigible.models.affine import Numbers
from corrigible.models.building import built
from corrigible.types import Columns


@dataclass(frozen=True)
class TabularFacts:
    """What the network of a table is built by; the same facts give a network that takes the same weights."""

    columns: Columns
    """The encoded columns, with the feature that each belongs to and whether it is one of a category."""
    num_outputs: int
    hidden: tuple[int, ...]
    """The number of units of each hidden layer."""
    centre: Numbers = 0.0
    scale: Numbers = 1.0
    """Where the outputs should begin, see `corrigible.types.Task.start`."""


def tabular_network(facts: TabularFacts, *, seed: int = 0) -> nn.Module:
    """A fresh network for an encoded table.

    Raises:
        RecipeError: sizes that are no whole numbers of at least 1, or that make too many weights.
    """
    given: dict[str, Any] = {"columns": len(facts.columns.names), "num_classes": facts.num_outputs}
    given |= {"centre": facts.centre, "scale": facts.scale}
    return built("table_mlp", {"hidden": list(facts.hidden)}, given, seed)
