"""How long work has taken, and how long the rest of it will take at the same pace."""

import time

LEAST_EPOCHS = 2
"""Epochs after the first from which on the time left is told."""


def clock(seconds: float) -> str:
    """A time in minutes and seconds, or in hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def times(elapsed: float, left: float | None) -> str:
    """The time spent and, where it is known, the time left, with the words that say which is which."""
    return f"elapsed {clock(elapsed)}" + ("" if left is None else f", left {clock(left)}")


class StageClock:
    """The time that each stage takes, which begins where what came before it ended."""

    def __init__(self) -> None:
        self.stage = ""
        self.began = self.reached = self.told = time.monotonic()

    def advance(self, stage: str, number: int, *, is_noted: bool) -> float:
        """Note that so much of the stage is done; the seconds of the stage or, if each step is noted, of the step."""
        if stage != self.stage or number == 1:
            self.stage, self.began = stage, self.reached
        self.reached = time.monotonic()
        return self.reached - (self.told if is_noted else self.began)

    def tell(self) -> None:
        """Note that a line was printed, after which the next stage or step begins."""
        self.reached = self.told = time.monotonic()


class Pace:
    """The epochs of all runs that were announced, and the time that each of those done until now took."""

    def __init__(self) -> None:
        self.num_epochs = self.num_done = 0
        self.latest = time.monotonic()
        self._seconds: list[float] = []

    def plan(self, num_epochs: int) -> None:
        """Note how many epochs lie ahead."""
        self.num_epochs, self.num_done = num_epochs, 0
        self.latest = time.monotonic()

    def advance(self, number: int) -> None:
        """Note the end of the epoch with this number, counted from 1 in each run."""
        now = time.monotonic()
        if number > 1:  # The first also holds what came before the run.
            self._seconds.append(now - self.latest)
        self.num_done, self.latest = self.num_done + 1, now

    @property
    def left(self) -> float | None:
        """Seconds until all epochs are done; None before enough were, and where none were announced."""
        missing = self.num_epochs - self.num_done
        if len(self._seconds) < LEAST_EPOCHS or missing < 0 or not self.num_epochs:
            return None
        each = sum(self._seconds) / len(self._seconds)
        return max(0.0, missing * each - (time.monotonic() - self.latest))
