"""Work in progress where the output is no terminal: a line when a stage is done, and whenever none came for a while."""

import threading
import time

from rich.console import Console

from corrigible.lines.pace import Pace, StageClock, times
from corrigible.lines.printing import Step, step_in_words

LEAST_SECONDS, MOST_SECONDS = 2.5, 60.0
SHARE = 0.25
"""The longest time without a line is this share of the time spent so far, but within these seconds."""


class Beats:
    """Lines that say what is being done, how far it is and how long it has taken."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.pace = Pace()
        self.num_runs = 1
        self.clock = StageClock()
        self.started = self.written = time.monotonic()
        self.inner: tuple[str, int, int | None] = ("starting", 0, None)
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Beats":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def plan(self, num_runs: int, num_epochs: int) -> None:
        """Note how much work lies ahead."""
        self.num_runs = num_runs
        self.pace.plan(num_epochs)

    def step(self, stage: str, number: int, total: int | None) -> None:
        """Note how far something inside a stage is; number 0 where it only begins."""
        self.inner = (stage, number, total)

    def advance(self, step: Step) -> None:
        """Note how far a stage is, and print a line when it is done."""
        seconds = self.clock.advance(step.stage, step.number, is_noted=step.is_noted)
        self.inner = (step.stage, step.number, step.total)
        if step.stage == "epoch":
            self.pace.advance(step.number)
        if step.is_noted or step.number == step.total:
            self.say(step_in_words(step, seconds))

    def say(self, line: str) -> None:
        """Print a line."""
        self._print(line)
        self.clock.tell()

    def _print(self, line: str) -> None:
        with self._lock:
            self.console.print(line)
            self.written = time.monotonic()

    def _beat(self) -> None:
        while not self._is_over.wait(0.25):
            now = time.monotonic()
            if now - self.written >= min(max(LEAST_SECONDS, SHARE * (now - self.started)), MOST_SECONDS):
                self._print(f"  {self._doing()}")

    def _doing(self) -> str:
        stage, number, total = self.inner
        how_far = f" {number}/{total or '?'}" if number else ""
        of_all = " (of all runs)" if self.num_runs > 1 and self.pace.left is not None else ""
        return f"{stage}{how_far}, {times(time.monotonic() - self.started, self.pace.left)}{of_all}"
