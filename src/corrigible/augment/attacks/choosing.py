"""Which attacks can be made, and with which settings."""

from collections.abc import Callable, Mapping
from typing import Any

from corrigible.methods import settings_of

Attacks = Mapping[str, Callable[..., Any]]


def known_to(norm: str, attacks: Attacks) -> dict[str, Callable[..., Any]]:
    """Those of the attacks that can measure moves by this norm."""
    return {name: attack for name, attack in attacks.items() if norm == "linf" or "norm" in settings_of(attack)}


def taken_by(attack: Callable[..., Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the facts that the attack has a setting for."""
    return {name: value for name, value in facts.items() if name in settings_of(attack)}
