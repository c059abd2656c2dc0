"""Which items to look at next, found in a process of its own while people review: neither they nor the looker wait."""

import json
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from corrigible import workflow
from corrigible.errors import CorrigibleError

log = logging.getLogger(__name__)
LEAST_ROWS = 200
"""Of fewer rows the order does not matter: all can be looked at."""
EVERY = 10
"""How many answers are given until what to ask is found anew."""
COUNT = 60
"""How many rows are found at once."""


class Wish(NamedTuple):
    """What is asked for."""

    run: str
    split: str
    strategy: str
    """Empty for the usual one."""


class Asking:
    """The rows to ask about next, the most wanted first, as far as they are known.

    Args:
        tell: is called with a line about a strategy that cannot be used.
    """

    def __init__(self, folder: str, tell: Callable[[str], None]) -> None:
        self._folder, self._tell = folder, tell
        self._found: dict[Wish, tuple[int, list[tuple[int, str]]]] = {}
        self._process: multiprocessing.process.BaseProcess | None = None

    def rows(self, wanted: Wish, num_answers: int) -> list[tuple[int, str]]:
        """The rows with the reason to ask about each; empty until they are found."""
        known = self._found.get(wanted)
        if self._process is None and (known is None or num_answers - known[0] >= EVERY):
            self._begin(wanted, num_answers)
        return known[1] if known else []

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()

    def _begin(self, wanted: Wish, num_answers: int) -> None:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_ask, args=(self._folder, *wanted, there), daemon=True)
        self._process = process
        process.start()
        there.close()
        threading.Thread(target=self._wait, args=(wanted, num_answers, here, process), daemon=True).start()

    def _wait(
        self, wanted: Wish, num_answers: int, pipe: Connection, process: multiprocessing.process.BaseProcess
    ) -> None:
        """Keep what the process finds; where it dies, nothing is found until there are more answers."""
        rows: list[tuple[int, str]] = []
        try:
            found = json.loads(pipe.recv_bytes())
            if "error" in found:
                self._tell(f"What to look at next cannot be found: {found['error']}")
            rows = [(row, reason) for row, reason in found.get("rows", [])]
        except (EOFError, OSError):
            log.debug("the process that finds what to ask ended early")
        process.join()
        self._found[wanted] = (num_answers, rows)
        self._process = None


def _ask(folder: str, run: str, split: str, strategy: str, pipe: Connection) -> None:
    """What the new process runs; it gives way to the one that answers."""
    os.nice(10)
    about: dict[str, Any] = {"strategy": strategy} if strategy else {}
    try:
        found = workflow.queue(Path(folder), run=run, split=split, count=COUNT, **about)
        answer: dict[str, object] = {"rows": [(query.row, query.reason) for query in found]}
    except CorrigibleError as error:
        answer = {"error": str(error)}
    pipe.send_bytes(json.dumps(answer).encode())
