"""Bounds of settings that count something: what takes years or all memory is refused at once."""

import logging

from corrigible.errors import RecipeError

MANY_GROUPS = 1024
log = logging.getLogger(__name__)
MOST_SAMPLES = 1_000_000
MOST_NUMBERS = 2**27
"""Most numbers that are drawn in advance and kept, one for each sample and group."""


def require_count(name: str, value: int, *, least: int = 1, most: int = MOST_SAMPLES) -> None:
    """Raises RecipeError if the setting of that name is below ``least`` or above ``most``."""
    if value < least:
        raise RecipeError(f"{name} is {_shortened(value)}; expected at least {least}")
    if value > most:
        raise RecipeError(f"{name} is {_shortened(value)}; expected at most {most}")


def require_room(name: str, value: int, num_groups: int, *, least: int = 1) -> None:
    """Like `require_count`, for samples that are kept as one number for each group.

    Raises:
        RecipeError: too few, or more than memory should hold.
    """
    require_count(name, value, least=least)
    if value * num_groups > MOST_NUMBERS:
        raise RecipeError(
            f"{name} is {value} for {num_groups} groups; expected at most {MOST_NUMBERS // num_groups}, or fewer groups"
        )


def say_if_few(samples: int, num_groups: int) -> None:
    """Log that a regression has fewer samples than groups, or so many groups that solving it takes long."""
    if samples < num_groups:
        log.warning(
            f"{samples} samples cannot tell {num_groups} groups apart: the smallest of many solutions is given; give "
            "more samples, or fewer groups"
        )
    elif num_groups > MANY_GROUPS:
        log.warning(f"{num_groups} groups: the work of the regression grows with their cube; give fewer groups")


def _shortened(value: int) -> str:
    return str(value) if abs(value) < 10**12 else f"{value:.0e}" if abs(value) < 10**300 else "beyond all numbers"
