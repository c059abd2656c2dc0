"""What the looker finds, the latest of it kept for the next time, and what has to be said about the looker itself."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from corrigible.errors import StudyError
from corrigible.workflow.reviews.kept import Kept
from corrigible.workflow.reviews.worker import Worker

RESTARTED = "The model’s process ended and was started again; nothing that was saved is lost."
GONE = "The model’s process ends again and again; look at what `corrigible review` prints, then load the page again."
NOT_KEPT = ("search", "snippets")


class Looks:
    """What a review sees of the model of one run.

    Args:
        hear: is called, in a thread of its own, with each event about the data.
        look_with: what answers about the model, made from the folder, the run's name and a function that hears events.
    """

    def __init__(
        self, folder: str, run: str, hear: Callable[[Mapping[str, Any]], None], look_with: Callable[..., Worker]
    ) -> None:
        self.run = run
        self._warnings: dict[str, str] = {}
        self.failure = ""
        """Why the model or the data cannot be loaded."""
        self._hear_data = hear
        self._kept = Kept()
        self._worker = look_with(folder, run, self._hear)

    def close(self) -> None:
        """End the model's process."""
        self._worker.close()

    def use(self, run: str) -> None:
        """Look at the model of that run from now on."""
        self.run = run
        self._clear_failure()
        self._worker.use(run)

    def try_again(self) -> None:
        """Start the process again where it could not load the model or the data; their cause may be gone."""
        if self.failure and self._worker.start_again():
            self._clear_failure()

    def prepare(self, what: list[dict[str, Any]]) -> None:
        """Have these items explained when nothing else is asked for."""
        self._worker.prepare(what)

    async def look(self, do: str, *, as_of: int = 0, **about: Any) -> tuple[Any, bytes]:
        """What the looker finds; kept for the next time, as long as nothing that it depends on changes."""
        key = (self.run, do, as_of, *map(str, about.values()))
        found = self._kept.at(key)
        if found is None:
            found = await self.ask(do, **about)
            if key[0] == self.run and do not in NOT_KEPT:
                self._kept.keep(key, found)
        return found

    async def ask(self, do: str, **about: Any) -> tuple[Any, bytes]:
        """What the looker finds now.

        Raises:
            StudyError: it cannot answer, or does not run.
        """
        if self.failure:
            raise StudyError(self.failure)
        return await asyncio.wrap_future(self._worker.ask(do, **about))

    @property
    def warnings(self) -> list[str]:
        """What people are told on the first page."""
        return list(self._warnings.values())

    def warn(self, warning: str, *, about: str = "") -> None:
        """Have people told, once; of what a warning is about, the latest is told until it is settled."""
        self._warnings[about or warning] = warning

    def settle(self, about: str) -> None:
        """Have people told no longer."""
        self._warnings.pop(about, None)

    def _hear(self, message: Mapping[str, Any]) -> None:
        """What the looker tells, in a thread of its own."""
        match message["event"]:
            case "ready":
                self._clear_failure()
                self._hear_data(message)
            case "predicted":
                self._hear_data(message)
            case "restarted":
                self.warn(RESTARTED)
            case "gone" if not self.failure:
                self._fail(GONE)
            case "failed":
                self._fail(f"The model or the data cannot be loaded: {message['error']}")
            case "not predicted":
                self.warn(f"Some rows of {message['split']} cannot be predicted: {message['error']}")

    def _fail(self, why: str) -> None:
        self.failure = why
        self.warn(why, about="model")

    def _clear_failure(self) -> None:
        self.failure = ""
        self.settle("model")
