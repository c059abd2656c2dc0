"""How far long work is, as log records: ``logging.getLogger("corrigible.progress")`` at the level INFO.

Loops that may take seconds wrap what they go through in `counted`, however deep inside a verb they are; who wants to
show them attaches a handler, as the command line does, and as `shown` does for a call from Python.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Show = Callable[[str, int, int | None], object]
"""(stage, number, total) -> shown; the total is None where it is not known."""
SECONDS_BETWEEN = 0.1


def counted(stage: str, items: Iterable[Item], *, total: int | None = None) -> Iterator[Item]:
    """The items, and a record after each is done with: the stage, how many are, and of how many."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    for number, item in enumerate(items, start=1):
        yield item
        log.info("%s %d/%s", stage, number, total or "?", extra={"progress": (stage, number, total)})


class _Handler(logging.Handler):
    """Shows the progress of the thread that made it."""

    def __init__(self, show: Show) -> None:
        super().__init__(logging.INFO)
        self.show, self.thread = show, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.show(*record.progress)  # type: ignore[attr-defined]


@contextmanager
def watched(show: Show) -> Iterator[None]:
    """A context in which the progress of this thread is shown."""
    handler, level = _Handler(show), log.level
    log.addHandler(handler)
    log.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@contextmanager
def shown(is_wanted: bool | None) -> Iterator[Callable[[], None]]:
    """A context in which one line of the standard error says how far the work is; the line is gone afterwards.

    It gives a function that clears the line, to be called before anything else is printed.

    Args:
        is_wanted: None for only on a terminal or in a notebook.
    """
    line = _Line()
    if not (_is_watched() if is_wanted is None else is_wanted):
        yield line.clear
        return
    try:
        with watched(line.show):
            yield line.clear
    finally:
        line.clear()


def _is_watched() -> bool:
    return sys.stderr is not None and (sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel"))


class _Line:
    """One line that is written over again and again."""

    def __init__(self) -> None:
        self.width, self.written = 0, -SECONDS_BETWEEN

    def show(self, stage: str, number: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self.written >= SECONDS_BETWEEN:
            self._write(f"{stage} {number}" + (f"/{total}" if total else ""))
            self.written = now

    def clear(self) -> None:
        if self.width:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)
