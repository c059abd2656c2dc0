"""Functions as a user might name them in a recipe."""

import sys
from typing import Any

from corrigible.declarations import declared

CALLED: list[str] = []


def rows(split: str) -> Any:
    CALLED.append(split)
    return [[0.0, 1.0], [1.0, 0.0]] * 10, [0, 1] * 10


def broken(split: str) -> Any:
    raise KeyError(f"no idea where {split} is")


def leaving(split: str) -> Any:
    sys.exit(0)


def interrupted(split: str) -> Any:
    raise KeyboardInterrupt


@declared(kind="augmentation", looks_at="nothing")
def moved(model: Any, batch: Any, generator: Any) -> Any:
    return batch


class Width:
    """Something that is called with a setting."""

    def __init__(self, *, width: int = 1) -> None:
        self.width = width
