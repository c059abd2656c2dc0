"""How far long work is, as log records: ``logging.getLogger("corrigible.progress")`` at the level INFO.

Loops that may take seconds wrap what they go through in `counted`, however deep inside a verb they are; who wants to
show them attaches a handler, as the command line does, and as `shown` does for a call from Python.
"""

import logging
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from markupsafe import Markup

from corrigible.notebook import html_of

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Show = Callable[[str, int, int | None], object]
"""(stage, number, total) -> shown; number 0 where a stage only begins, the total None where it is not known."""
SECONDS_BETWEEN = 0.1


def counted(stage: str, items: Iterable[Item], *, total: int | None = None) -> Iterator[Item]:
    """The items, and a record after each is done with: the stage, how many are, and of how many."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    for number, item in enumerate(items, start=1):
        yield item
        log.info("%s %d/%s", stage, number, total or "?", extra={"progress": (stage, number, total)})


def begun(stage: str) -> None:
    """Record that a stage begins of which it is not known how far it is."""
    log.info("%s", stage, extra={"progress": (stage, 0, None)})


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
def shown(is_wanted: bool | None) -> Iterator["_Line | _Cell"]:
    """A context in which a bar in a notebook, or a line of the standard error, says how far the work is.

    Both are gone afterwards. The context gives an object: call its ``clear`` before anything else is printed, and its
    ``keep`` for what a notebook goes on showing.

    Args:
        is_wanted: None for only on a terminal or in a notebook.
    """
    is_watched = _is_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    view = _Cell() if _is_notebook() and is_wanted is not False else _Line()
    if not (is_watched if is_wanted is None else is_wanted):
        yield view
        return
    try:
        with watched(view.show):
            yield view
    finally:
        view.clear()


def _is_notebook() -> bool:
    return type(sys.stderr).__module__.startswith("ipykernel")


class _Line:
    """One line that is written over again and again."""

    def __init__(self) -> None:
        self.width, self.written = 0, -SECONDS_BETWEEN

    def show(self, stage: str, number: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self.written >= SECONDS_BETWEEN:
            how_far = f" {number}" + (f"/{total}" if total else "") if number else ""
            self._write(stage + how_far)
            self.written = now

    def clear(self) -> None:
        if self.width:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def keep(self, found: object) -> bool:
        """False: nothing is kept here, and who gave it says it elsewhere."""
        return False

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)


class _Cell:
    """The output of a notebook's cell: what is kept, and a bar below it while work goes on."""

    def __init__(self) -> None:
        self.kept: list[object] = []
        self.bar, self.place, self.written = Markup(""), "", -SECONDS_BETWEEN

    def show(self, stage: str, number: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self.written >= SECONDS_BETWEEN:
            ends = Markup(' max="{}" value="{}"').format(total, number) if total else Markup("")
            counted = stage + (f" {number}" if number else "") + (f"/{total}" if total else "")
            self.bar = Markup("<div><progress{}></progress> {}</div>").format(ends, counted)
            self._display(counted)
            self.written = now

    def keep(self, found: object) -> bool:
        """True: the reader sees it."""
        self.kept.append(found)
        self._display()
        return True

    def clear(self) -> None:
        if self.bar:
            self.bar = Markup("")
            self._display()

    def _display(self, running: str = "") -> None:
        """Write the cell's output again; IPython is there, because it runs the cell."""
        from IPython.display import display, update_display

        html = Markup("").join(Markup("<div>{}</div>").format(html_of(found)) for found in self.kept) + self.bar
        data = {"text/plain": "\n".join([*map(str, self.kept), running]).strip(), "text/html": str(html)}
        if self.place:
            update_display(data, raw=True, display_id=self.place)
        else:
            self.place = uuid.uuid4().hex
            display(data, raw=True, display_id=self.place)


@contextmanager
def quiet() -> Iterator[None]:
    """A context in which nothing is printed of what is logged, unless the caller has set a handler."""
    package, handler = logging.getLogger("corrigible"), logging.NullHandler()
    package.addHandler(handler)
    try:
        yield
    finally:
        package.removeHandler(handler)
