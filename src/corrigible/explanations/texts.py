"""What explaining texts, rows of (token, dimension), adds to explaining any rows."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.family import EXPLAINERS
from corrigible.explanations.groups import TOKEN
from corrigible.methods import method_named, settings_of


def settings_for_texts(method: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the words as groups where the method has groups and none were chosen."""
    has_groups = "groups" in settings_of(method_named(method, EXPLAINERS, "explainer"))
    return {"groups": TOKEN, **settings} if has_groups else dict(settings)


def by_token(attribution: Float[Tensor, " batch token dimension"]) -> Float[Tensor, " batch token"]:
    """How much each word counted: the sum over the numbers of its vector."""
    return attribution.sum(dim=2)
