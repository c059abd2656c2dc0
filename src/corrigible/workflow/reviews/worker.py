"""The looker's other end: ask it, start it again where it ended, and say so."""

import json
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from corrigible.errors import StudyError

log = logging.getLogger(__name__)
ENDED = "the model's process ended twice while it worked on this; it starts again: look at something else"
DOWN = "the model's process does not run; load the page again, which starts it"
MOST_STARTS = 5
"""How often in a row the process is started that ends before it is ready."""
PAUSE_SECONDS = 3.0
"""So long after it ended for good the process is not started once more."""
Hear = Callable[[Mapping[str, Any]], None]


def _look(folder: str, run: str, pipe: Connection) -> None:
    """What the new process runs: it loads PyTorch there, and not here."""
    from corrigible.workflow.reviews import looker

    looker.look(folder, run, pipe)


class _Question:
    """What was asked, and the future of its answer."""

    def __init__(self, number: int, do: str, about: Mapping[str, Any]) -> None:
        self.message = json.dumps({"id": number, "do": do, "about": about}).encode()
        self.found: Future[tuple[Any, bytes]] = Future()
        self.is_suspect = False
        """Whether the process ended once before it answered this."""

    def fail(self, reason: str) -> None:
        if self.found.set_running_or_notify_cancel():
            self.found.set_exception(StudyError(reason))

    def answer(self, message: Mapping[str, Any], payload: bytes) -> None:
        if "error" in message:
            self.fail(message["error"])
        elif self.found.set_running_or_notify_cancel():
            self.found.set_result((message["found"], payload))


class Worker:
    """The looker for one run of a study; it is started again when it ends, unless it does so before it is ready.

    What was asked before it ended is asked again, once. No method waits for the process: a thread of its own sends what
    is asked.

    Args:
        hear: is called, in a thread of its own, with each event that the looker tells.
    """

    def __init__(self, folder: str, run: str, hear: Hear) -> None:
        self.folder, self.run, self.hear = folder, run, hear
        self._numbers = count(1)
        self._lock = threading.RLock()
        self._pending: dict[int, _Question] = {}
        self._is_over = False
        self._failures = 0
        self._ended = 0.0
        """When the process ended for good."""
        self._process: Any = None
        """None where it does not run, and is not started again by itself."""
        self._sent = SimpleQueue[bytes | None]()
        with self._lock:
            self._begin()

    def ask(self, do: str, **about: Any) -> Future[tuple[Any, bytes]]:
        """What the looker finds, and bytes; a StudyError where it cannot."""
        number = next(self._numbers)
        question = _Question(number, do, about)
        with self._lock:
            if self._process is None:
                question.fail(DOWN)
                return question.found
            self._pending[number] = question
            self._sent.put(question.message)
        question.found.add_done_callback(lambda done: self._drop(number) if done.cancelled() else None)
        return question.found

    def prepare(self, what: list[dict[str, Any]]) -> None:
        """Have these items explained when nothing else is asked for."""
        self._send({"do": "ahead", "what": what})

    def use(self, run: str) -> None:
        """Look at another run's model from now on; what was asked and not answered is asked there."""
        with self._lock:
            before, self.run, self._failures = self._process, run, 0
            if before is not None:
                before.kill()
            self._begin()

    def start_again(self) -> bool:
        """Start the process once where it does not run, unless it ended just now; whether it was started."""
        with self._lock:
            if self._process is not None or self._is_over or time.monotonic() - self._ended < PAUSE_SECONDS:
                return False
            self._failures = MOST_STARTS
            self._begin()
            return True

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._is_over = True
            process, self._process = self._process, None
            self._sent.put(None)
            self._fail_all(DOWN)
        if process is not None:
            process.kill()
            process.join()

    def _begin(self) -> None:
        """Start the process, and the threads that listen and send; send what is not answered yet."""
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_look, args=(self.folder, self.run, there), daemon=True)
        process.start()
        there.close()
        self._sent.put(None)
        self._process, self._sent = process, SimpleQueue()
        for question in self._pending.values():
            self._sent.put(question.message)
        threading.Thread(target=_pass_on, args=(self._sent, here), daemon=True).start()
        threading.Thread(target=self._listen, args=(here, process), daemon=True).start()

    def _send(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            if self._process is not None:
                self._sent.put(json.dumps(message).encode())

    def _drop(self, number: int) -> None:
        with self._lock:
            self._pending.pop(number, None)
        self._send({"do": "drop", "which": number})

    def _listen(self, pipe: Connection, process: Any) -> None:
        try:
            while True:
                head, _, payload = pipe.recv_bytes().partition(b"\n")
                if self._process is not process:
                    break
                self._take(json.loads(head), payload)
        except (EOFError, OSError):
            pass
        process.join()
        self._restart(process)

    def _take(self, message: Mapping[str, Any], payload: bytes) -> None:
        """Take an event, or the answer to a question."""
        if "event" not in message:
            with self._lock:
                question = self._pending.pop(message["id"], None)
            if question is not None:
                question.answer(message, payload)
            return
        if message["event"] in ("ready", "failed"):  # What cannot be loaded now, cannot a second later.
            self._failures = 0 if message["event"] == "ready" else MOST_STARTS
        self.hear(message)

    def _restart(self, process: Any) -> None:
        """Start the process again that ended by itself; where it does so before it is ready, a few times only."""
        with self._lock:
            if self._process is not process:
                return  # Another one took its place, or all is over.
            self._failures += 1
            is_gone = self._failures > MOST_STARTS
            if is_gone:
                self._process, self._ended = None, time.monotonic()
                self._sent.put(None)
                self._fail_all(DOWN)
            else:
                self._suspect_all()
                self._begin()
        if is_gone:
            self.hear({"event": "gone"})
        else:
            log.warning("the process that holds the model ended and is started again")
            self.hear({"event": "restarted"})

    def _suspect_all(self) -> None:
        """Keep what was asked, to ask it again; what was asked at two such ends may be their cause."""
        for number, question in list(self._pending.items()):
            if question.is_suspect:
                self._pending.pop(number).fail(ENDED)
            question.is_suspect = True

    def _fail_all(self, reason: str) -> None:
        lost = list(self._pending.values())
        self._pending.clear()
        for question in lost:
            question.fail(reason)


def _pass_on(messages: SimpleQueue[bytes | None], pipe: Connection) -> None:
    """Send the messages until the end, None, or until nobody reads them."""
    while (message := messages.get()) is not None:
        try:
            pipe.send_bytes(message)
        except (OSError, ValueError):
            return
