"""Checks of plain arguments of public functions."""

import operator
import reprlib
from typing import Any

from corrigible.errors import RecipeError

LARGEST = 2**63 - 1


def whole_number(name: str, value: Any, least: int = -LARGEST, most: int = LARGEST) -> int:
    """The value as a whole number.

    Raises:
        RecipeError: something else, or a number outside the range.
    """
    try:
        found = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = None
    if found is None or not least <= found <= most:
        expected = f"a whole number from {least:,} to {most:,}" if least > -LARGEST else "a whole number"
        raise RecipeError(f"{name} is {reprlib.repr(value)}; expected {expected}")
    return found
