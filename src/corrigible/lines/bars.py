"""Progress bars on a terminal: one for all runs, one for the stage, one for the steps inside it.

They disappear when the work is done.
"""

import threading

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task, TaskID
from rich.text import Text

from corrigible.lines.pace import Pace, StageClock, times
from corrigible.lines.printing import Step, step_in_words

STAGE, BAR = 28, 10
"""The width of a stage's name and of a bar."""
LEAST_STEPS, LEAST_SECONDS = 3, 2.0
"""Steps and seconds of a stage from which on the time left is told."""
SECONDS_BEFORE = 0.4
"""So long nothing is shown: most quick verbs are over by then."""


class _Line(ProgressColumn):
    """All of a bar's line, which is cut at the end where the terminal is narrow."""

    def render(self, task: Task) -> Text:
        stage = f"  {task.description:{STAGE}.{STAGE}} "
        return Text.assemble(stage, _bar(task), _facts(task), no_wrap=True, overflow="ellipsis")


def _bar(task: Task) -> Text:
    """A bar as long as the work that is done, or one that moves where that is not known."""
    if task.total:
        full = min(BAR, round(BAR * task.completed / task.total))
        return Text.assemble(("━" * full, "green"), ("━" * (BAR - full), "bright_black"))
    place = int(2 * (task.elapsed or 0.0)) % BAR
    return Text.assemble(("━" * place, "bright_black"), ("━", "green"), ("━" * (BAR - place - 1), "bright_black"))


def _facts(task: Task) -> str:
    pace: Pace | None = task.fields["pace"]
    count = f" {task.completed:.0f}/{task.total:.0f}" if task.total else ""
    time_taken = times(task.elapsed or 0.0, _left(task) if pace is None else pace.left)
    return f"{count}  {time_taken}  {task.fields['values']}".rstrip()


def _left(task: Task) -> float | None:
    """Seconds until the stage is done; None before enough of it was measured."""
    is_enough = task.completed >= LEAST_STEPS and (task.elapsed or 0.0) >= LEAST_SECONDS
    return None if task.time_remaining is None or not is_enough else float(task.time_remaining)


class Bars:
    """Bars with the time spent and the time left, below the lines that are printed; they move also while nothing else
    does."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(_Line(), console=console, transient=True)
        self.pace = Pace()
        self.stage = ""
        self.clock = StageClock()
        self.inner_stage = ""
        self.all: TaskID | None = None
        self.outer: TaskID | None = None
        self.inner: TaskID | None = None
        self._lock = threading.Lock()
        self._is_over = False
        self._timer = threading.Timer(SECONDS_BEFORE, self._start)
        self._timer.daemon = True

    def __enter__(self) -> "Bars":
        self.step("starting", 0, None)
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._is_over = True
            self.progress.stop()

    def plan(self, num_runs: int, num_epochs: int) -> None:
        """Show how far all runs together are."""
        self.pace.plan(num_epochs)
        if num_runs > 1:
            self.all = self._added(f"all {num_runs} runs: epoch", num_epochs, self.pace)

    def step(self, stage: str, number: int, total: int | None) -> None:
        """Show how far something inside a stage, or before the first, is; number 0 where it only begins."""
        if self.inner is not None and stage != self.inner_stage:
            self._leave_inner()
        if self.inner is None:
            self.inner, self.inner_stage = self._added(stage, total), stage
        self.progress.update(self.inner, completed=number, total=total)
        if number == total:
            self._leave_inner()

    def advance(self, step: Step) -> None:
        """Show how far a stage is, and leave a line when it is done."""
        self._leave_inner()
        if self.outer is None or step.stage != self.stage:
            self._leave_outer()
            self.stage = step.stage
            self.outer = self._added(step.stage, step.total)
        self.progress.update(self.outer, completed=step.number, total=step.total, values=step.values)
        seconds = self.clock.advance(step.stage, step.number, is_noted=step.is_noted)
        if step.stage == "epoch":
            self.pace.advance(step.number)
            if self.all is not None:
                self.progress.update(self.all, completed=self.pace.num_done)
        if step.is_noted or step.number == step.total:
            self.console.print(step_in_words(step, seconds))
            self.clock.tell()
        if step.number == step.total and not step.is_noted:
            self._leave_outer()

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._leave_inner()
        self._leave_outer()
        self.console.print(line)
        self.clock.tell()

    def _start(self) -> None:
        with self._lock:
            if not self._is_over:
                self.progress.start()

    def _added(self, stage: str, total: int | None, pace: Pace | None = None) -> TaskID:
        return self.progress.add_task(stage, total=total, values="", pace=pace)

    def _leave_inner(self) -> None:
        if self.inner is not None:
            self.progress.remove_task(self.inner)
        self.inner = None

    def _leave_outer(self) -> None:
        if self.outer is not None:
            self.progress.remove_task(self.outer)
        self.outer = None
