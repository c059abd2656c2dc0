"""Bounds of settings that count something: what takes years or all memory is refused at once."""

from corrigible.errors import RecipeError

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


def _shortened(value: int) -> str:
    return str(value) if abs(value) < 10**12 else f"{value:.0e}" if abs(value) < 10**300 else "beyond all numbers"
