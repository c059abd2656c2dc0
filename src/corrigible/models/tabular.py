"""The network that a table is learned by, unless another is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from corrigible.errors import RecipeError
from corrigible.models.building import built, facts_wanted
from corrigible.models.monotone import directions_of

NETWORK = "tabm"
"""Its name in ``MODELS``."""


@dataclass(frozen=True)
class TableNetwork:
    """How a network is built; what the same description builds takes the same weights."""

    name: str
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    """About the data: numbers and lists of them."""

    def built(self, seed: int = 0) -> nn.Module:
        """The network with fresh weights.

        Raises:
            RecipeError: an unknown name, or settings that the network refuses.
        """
        return built(self.name, self.settings, self.facts, seed)


def table_network(
    facts: Mapping[str, Any], *, hidden: Sequence[int], members: int, monotonic_cst: Mapping[str, int]
) -> TableNetwork:
    """The network for a table about which these facts are known, see `corrigible.data.network_facts`.

    Args:
        hidden: the number of units of each hidden layer.
        members: how many networks answer together; they share most weights.
        monotonic_cst: the columns of numbers with a direction, see `corrigible.models.tabm`.

    Raises:
        RecipeError: a number in place of several, or a direction that cannot be kept.
    """
    if not isinstance(hidden, Sequence) or isinstance(hidden, str):
        raise RecipeError(f"hidden layers are {hidden!r}; expected a number for each, such as (64, 32)")
    wanted = facts_wanted(NETWORK)
    known = {name: value for name, value in facts.items() if name in wanted}
    settings: dict[str, Any] = {"hidden": list(hidden), "members": members}
    if monotonic_cst:
        try:
            directions_of(monotonic_cst, facts["features"], facts["one_hot"], facts["output_directions"])
        except ValueError as error:
            raise RecipeError(str(error)) from error
        settings["monotonic_cst"] = dict(monotonic_cst)
    return TableNetwork(NETWORK, settings, known)
