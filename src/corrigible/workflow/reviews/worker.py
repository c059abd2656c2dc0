"""The looker's other end: ask it, start it again where it ended, and say so."""

import json
import logging
import multiprocessing
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

from corrigible.errors import StudyError

log = logging.getLogger(__name__)
ENDED = "the model's process ended while it worked on this; it starts again: look once more in a moment"
MOST_STARTS = 5
"""How often in a row the process is started that ends before it is ready."""
Hear = Callable[[Mapping[str, Any]], None]


def _look(folder: str, run: str, pipe: Connection) -> None:
    """What the new process runs: it loads PyTorch there, and not here."""
    from corrigible.workflow.reviews import looker

    looker.look(folder, run, pipe)


class Worker:
    """The looker for one run of a study, usable in ``with``; it is started again when it ends.

    Args:
        hear: is called, in a thread of its own, with each event that the looker tells.
    """

    def __init__(self, folder: str, run: str, hear: Hear) -> None:
        self.folder, self.run, self.hear = folder, run, hear
        self.num_restarts = 0
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._pending: dict[int, Future[tuple[Any, bytes]]] = {}
        self._is_over = False
        self._is_wanted = False
        """Whether the process is to end, so that another run's can start."""
        self._failures = 0
        self._pipe: Connection | None = None
        self._process: Any = None
        self._start()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, do: str, **about: Any) -> Future[tuple[Any, bytes]]:
        """What the looker finds, and bytes; a StudyError where it cannot."""
        number, found = next(self._numbers), Future[tuple[Any, bytes]]()
        found.add_done_callback(lambda done: self._drop(number) if done.cancelled() else None)
        with self._lock:
            self._pending[number] = found
        self._send({"id": number, "do": do, "about": about})
        return found

    def prepare(self, what: list[dict[str, Any]]) -> None:
        """Have these items explained when nothing else is asked for."""
        self._send({"do": "ahead", "what": what})

    def use(self, run: str) -> None:
        """Look at another run's model from now on."""
        self.run, self._is_wanted = run, True
        self._end()  # Whoever listens starts the next one.

    def close(self) -> None:
        """End the process."""
        self._is_over = True
        self._end()

    @property
    def process_id(self) -> int:
        """That of the process, to watch it."""
        return int(self._process.pid)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_look, args=(self.folder, self.run, there), daemon=True)
        process.start()
        there.close()
        self._pipe, self._process = here, process
        threading.Thread(target=self._listen, args=(here, process), daemon=True).start()

    def _end(self) -> None:
        self._process.terminate()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()

    def _send(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            try:
                assert self._pipe is not None
                self._pipe.send_bytes(json.dumps(message).encode())
            except (OSError, ValueError):
                found = self._pending.pop(message.get("id", 0), None)
                if found is not None and not found.cancelled():
                    found.set_exception(StudyError(ENDED))

    def _drop(self, number: int) -> None:
        with self._lock:
            self._pending.pop(number, None)
        self._send({"do": "drop", "which": number})

    def _listen(self, pipe: Connection, process: Any) -> None:
        try:
            while True:
                head, _, payload = pipe.recv_bytes().partition(b"\n")
                message = json.loads(head)
                if "event" in message:
                    if message["event"] in ("ready", "failed"):  # What cannot be loaded now, cannot a second later.
                        self._failures = 0 if message["event"] == "ready" else MOST_STARTS
                    self.hear(message)
                else:
                    self._resolve(message, payload)
        except (EOFError, OSError):
            pass
        process.join()
        self._restart()

    def _resolve(self, message: Mapping[str, Any], payload: bytes) -> None:
        with self._lock:
            found = self._pending.pop(message["id"], None)
        if found is None or not found.set_running_or_notify_cancel():
            return
        if "error" in message:
            found.set_exception(StudyError(message["error"]))
        else:
            found.set_result((message["found"], payload))

    def _restart(self) -> None:
        with self._lock:
            lost = list(self._pending.values())
            self._pending.clear()
        for found in lost:
            if found.set_running_or_notify_cancel():
                found.set_exception(StudyError(ENDED))
        if self._is_over:
            return
        if self._is_wanted:
            self._is_wanted = False
            self._start()
            return
        self._failures += 1
        self.num_restarts += 1
        if self._failures > MOST_STARTS:
            self.hear({"event": "gone"})
            return
        log.warning("the process that holds the model ended and is started again")
        self.hear({"event": "restarted"})
        self._start()
