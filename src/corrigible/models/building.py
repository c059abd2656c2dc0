"""Build a network by its name from facts about the data."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from corrigible.errors import NamedFunctionError, RecipeError
from corrigible.methods import method_named, with_settings
from corrigible.models import MODELS
from corrigible.models.modes import PrivateRandomness

MOST_WEIGHTS = 10**8
"""Most weights of a listed network: training takes four times their memory."""


def built(name: str, settings: Mapping[str, Any], facts: Mapping[str, Any], seed: int) -> nn.Module:
    """The network of this name, in ``MODELS`` or ``module:function``, with fresh weights.

    Args:
        facts: about the data, see `model_facts`; the network's function gets those that its arguments name.

    Raises:
        RecipeError: an unknown model or setting, or settings that the model refuses.
    """
    function = with_settings(method_named(name, MODELS, "model"), settings, f"model {name!r}")
    wanted = inspect.signature(function).parameters
    given = {fact: value for fact, value in facts.items() if fact in wanted}
    try:
        if name in MODELS:
            _require_moderate(function, given)
        with PrivateRandomness(seed):
            model = function(**given)
    except NamedFunctionError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        asked = {**{fact: value for fact, value in given.items() if isinstance(value, int | float)}, **settings}
        raise RecipeError(f"model {name!r} cannot be built from {asked} ({error}); check its settings") from error
    if not isinstance(model, nn.Module):
        raise RecipeError(f"model {name!r} gave a {type(model).__name__}; expected a torch.nn.Module")
    return model


def facts_wanted(name: str) -> frozenset[str]:
    """The names of the arguments of the network's function, each a fact that it may get.

    Raises:
        RecipeError: an unknown model.
    """
    return frozenset(inspect.signature(method_named(name, MODELS, "model")).parameters)


def _require_moderate(function: Callable[..., nn.Module], given: Mapping[str, Any]) -> None:
    """Raises ValueError for a network with too many weights, which are counted without memory for them."""
    with torch.device("meta"):
        found = sum(weights.numel() for weights in function(**given).parameters())
    if found > MOST_WEIGHTS:
        raise ValueError(f"it would have {found:,} weights; expected at most {MOST_WEIGHTS:,}: smaller layers")
