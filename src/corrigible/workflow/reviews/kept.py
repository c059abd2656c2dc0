"""What was looked at lately, in a bounded number of bytes."""

from collections import OrderedDict
from typing import Any

MOST_BYTES = 32 * 2**20
Key = tuple[Any, ...]
Looked = tuple[Any, bytes]
"""What was found, as JSON holds it, and a picture."""


class Kept:
    """The latest things by key; the ones not asked for longest go first."""

    def __init__(self) -> None:
        self._found: OrderedDict[Key, Looked] = OrderedDict()
        self._num_bytes = 0

    def at(self, key: Key) -> Looked | None:
        """What is kept under that key; None if there is nothing."""
        if key not in self._found:
            return None
        self._found.move_to_end(key)
        return self._found[key]

    def keep(self, key: Key, found: Looked) -> None:
        """Keep it, and let others go where there are too many."""
        if key in self._found:
            return
        self._found[key] = found
        self._num_bytes += _size(found)
        while self._num_bytes > MOST_BYTES:
            _, oldest = self._found.popitem(last=False)
            self._num_bytes -= _size(oldest)


def _size(found: Looked) -> int:
    """About how many bytes it takes."""
    return len(found[1]) + 8 * len(str(found[0]))
