"""The network that a table is learned by, unless another is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from corrigible.errors import RecipeError
from corrigible.models.building import built, facts_wanted
from corrigible.models.monotone import directions_of
from corrigible.models.pair_products import columns_of_pairs

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
    facts: Mapping[str, Any],
    *,
    hidden: Sequence[int],
    members: int,
    monotonic_cst: Mapping[str, int],
    interactions: Sequence[Sequence[str]],
) -> TableNetwork:
    """The network for a table about which these facts are known, see `corrigible.data.network_facts`.

    Args:
        hidden: the number of units of each hidden layer.
        members: how many networks answer together; they share most weights.
        monotonic_cst: the columns of numbers with a direction, see `corrigible.models.tabm`.
        interactions: the pairs of columns whose products are inputs too.

    Raises:
        RecipeError: a number in place of several, a direction that cannot be kept, or pairs that cannot be formed.
    """
    if not isinstance(hidden, Sequence) or isinstance(hidden, str):
        raise RecipeError(f"hidden layers are {hidden!r}; expected a number for each, such as (64, 32)")
    wanted = facts_wanted(NETWORK)
    known = {name: value for name, value in facts.items() if name in wanted}
    settings: dict[str, Any] = {"hidden": list(hidden), "members": members}
    try:
        given = facts["features"], facts["one_hot"]
        columns_of_pairs(interactions, *given, directions_of(monotonic_cst, *given, facts["output_directions"]))
    except ValueError as error:
        raise RecipeError(str(error)) from error
    if monotonic_cst:
        settings["monotonic_cst"] = dict(monotonic_cst)
    if interactions:
        settings["interactions"] = [list(pair) for pair in interactions]
    return TableNetwork(NETWORK, settings, known)
