"""A review that is going on: everything that the page asks for, as JSON and PNG; it loads no PyTorch.

The desk (store, index) belongs to one thread, the model to another process; what was looked at lately is kept here.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from corrigible.errors import FeedbackError, StudyError
from corrigible.folders import writing_in
from corrigible.study import open_study
from corrigible.workflow.reviews.asked import number_in, object_in, text_in, whole_number
from corrigible.workflow.reviews.deciding import decide
from corrigible.workflow.reviews.desk import Desk
from corrigible.workflow.reviews.history import history
from corrigible.workflow.reviews.looks import Looks
from corrigible.workflow.reviews.saving import Conflict, retract, save, stored_before
from corrigible.workflow.reviews.start import heading_of, study_json, suspect_rows
from corrigible.workflow.reviews.worker import Worker

THUMB, LARGE = 96, 1024
NUM_AHEAD = 3
LOADING_SECONDS, PAUSE_SECONDS = 120.0, 0.05
"""The longest time that a request waits for the data, and how often it looks."""
SNIPPETS_SECONDS = 0.3
"""How long a page waits for the beginnings of texts while the model is busy."""
Found = TypeVar("Found")


class Review:
    """A study that is being reviewed, usable in ``async with``.

    Args:
        look_with: what answers about the model, made from the folder, the run's name and a function that hears events.

    Raises:
        CorrigibleError: no study, or one without a model.
    """

    def __init__(self, folder: Path, *, reviewer: str = "", look_with: Callable[..., Worker] = Worker) -> None:
        self.folder, self.reviewer = folder, reviewer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._is_closed = False
        self._refreshed = 0.0
        study = open_study(folder)
        self._runs_noted = self._runs_seen = len(study.run_folders())
        self.run = study.latest("train", "correct")
        self.looks: Looks
        self.desk = self._thread.submit(Desk, folder, lambda warning: self.looks.warn(warning)).result()
        self.looks = Looks(str(folder), self.run.name, self._hear, look_with)

    async def __aenter__(self) -> "Review":
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the model's process and close the store; once more changes nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self.looks.close()
        self._thread.submit(self.desk.close).result()
        self._thread.shutdown()

    async def heading(self) -> dict[str, str]:
        return heading_of(self.desk)

    async def study(self) -> dict[str, Any]:
        """The first page."""
        await self.refresh()
        told = {"warnings": self.looks.warnings, "failure": self.looks.failure, "reviewer": self.reviewer}
        return await self._at_desk(study_json, self.desk, self.run, **told)

    async def _loaded(self) -> None:
        """Wait until the data is there.

        Raises:
            StudyError: that takes too long, or it cannot be loaded.
        """
        await self.refresh()
        for _ in range(round(LOADING_SECONDS / PAUSE_SECONDS)):
            if self.desk.items is not None:
                return
            if self.looks.failure:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        raise StudyError(self.looks.failure or "the data is still being loaded; look again in a moment")

    async def _placed(self, split: str, row: int) -> dict[str, Any]:
        """The part of the data and the row, once the data is there."""
        await self._loaded()
        return dict(zip(("split", "row"), await self._at_desk(self.desk.place, split, row), strict=True))

    async def items(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A page of items."""
        await self._loaded()
        rows, holding = None, ()
        if asked.get("suspect") is not None:
            runs = await self._at_desk(self.desk.runs)
            rows = await self._at_desk(suspect_rows, runs, self.run, number_in(asked, "suspect"))
        facts = self.desk.facts
        text = text_in(asked, "text", default="")
        if text and facts.get("kind") == "text":
            split = text_in(asked, "split", default="") or next(iter(facts["splits"]))
            await self._at_desk(self.desk.place, split, 0)
            holding, _ = await self.looks.look("search", split=split, words=text.lower().split())
        page = await self._at_desk(self.desk.page, asked, rows, holding)
        if facts.get("kind") == "text" and page["items"]:
            await self._with_snippets(page["items"])
        return page

    async def _with_snippets(self, items: list[dict[str, Any]]) -> None:
        split, rows = items[0]["split"], [item["row"] for item in items]
        with suppress(TimeoutError):
            found, _ = await asyncio.wait_for(self.looks.look("snippets", split=split, rows=rows), SNIPPETS_SECONDS)
            for item, snippet in zip(items, found, strict=True):
                item["snippet"] = snippet

    async def next_item(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The next item to look at."""
        await self._loaded()
        split, _, written = text_in(asked, "after", default="").rpartition("/")
        row = whole_number(written)
        place = (split, row) if split and row is not None else None
        part, strategy = (text_in(asked, name, default="") for name in ("split", "strategy"))
        return await self._at_desk(self.desk.next_item, part, place, strategy, self.run.name)

    async def item(self, split: str, row: int, method: str = "") -> dict[str, Any]:
        """One item, with what was said about it."""
        await self._loaded()
        place = await self._at_desk(self.desk.place, split, row)
        found, _ = await self.looks.look("item", split=split, row=row, method=self._method(method))
        await self._at_desk(self.desk.hear_fingerprint, place, found["fingerprint"])
        said = await self._at_desk(self.desk.said_of, place)
        await self._prepare(split, row)
        return {**found, **said}

    async def picture(self, split: str, row: int, *, is_small: bool = False) -> bytes:
        """The picture of an image."""
        return await self._drawn("picture", split, row, longest=THUMB if is_small else LARGE)

    async def attribution_map(self, split: str, row: int, method: str) -> bytes:
        """Where the model looks, as a picture to lay over the image."""
        return await self._drawn("map", split, row, method=self._method(method))

    async def segments(self, split: str, row: int) -> bytes:
        """The segments of an image."""
        return await self._drawn("segments", split, row)

    async def _drawn(self, do: str, split: str, row: int, **more: Any) -> bytes:
        place = await self._placed(split, row)
        if self.desk.facts["kind"] != "image":
            raise FeedbackError("these rows are no images; there is no picture of them")
        return (await self.looks.look(do, **place, **more))[1]

    async def answer(self, asked: Any) -> dict[str, Any] | Conflict:
        """Store an answer; it is on the disk when this returns.

        The looker is asked only for the hash of a row that was neither predicted nor shown yet.
        """
        asked = object_in(asked, "the answer")
        await self._loaded()
        found = await self._at_desk(stored_before, self.desk, asked)
        if found is not None:
            return found
        place = split, row = text_in(asked, "split"), number_in(asked, "row")
        fingerprint = await self._at_desk(self.desk.fingerprint, place)
        if not fingerprint:
            fingerprint, _ = await self.looks.look("print", split=split, row=row)
        return await self._at_desk(save, self.desk, asked, fingerprint)

    async def what_if(self, asked: Any) -> dict[str, Any]:
        """What would be predicted with other values."""
        asked = object_in(asked, "the question")
        place = await self._placed(text_in(asked, "split"), number_in(asked, "row"))
        values, method = object_in(asked.get("values"), "values"), text_in(asked, "method", default="")
        about = {**place, "values": values, "method": self._method(method)}
        return (await self.looks.ask("what_if", **about))[0]  # type: ignore[no-any-return]

    async def why_not(self, asked: Any) -> dict[str, Any]:
        """What would make a row another class."""
        asked = object_in(asked, "the question")
        place = await self._placed(text_in(asked, "split"), number_in(asked, "row"))
        return (await self.looks.look("why_not", **place, wanted=text_in(asked, "wanted")))[0]  # type: ignore[no-any-return]

    async def taught(self, split: str, row: int) -> dict[str, Any]:
        """Which training rows taught the model what it says of a row."""
        return (await self.looks.look("taught", **await self._placed(split, row)))[0]  # type: ignore[no-any-return]

    async def count(self, asked: Any) -> dict[str, Any]:
        """How many rows a statement would be about."""
        asked = object_in(asked, "the question")
        await self._loaded()
        label = asked.get("label")
        classes = list(self.desk.facts.get("classes", ()))
        number = classes.index(label) if label in classes else None if label is None else number_in(asked, "label")
        about = {"region": object_in(asked.get("region"), "region"), "scope": text_in(asked, "scope"), "label": number}
        return (await self.looks.ask("count", **about))[0]  # type: ignore[no-any-return]

    async def history(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A page of what was said."""
        return await self._at_desk(history, self.desk, asked)

    async def retract(self, asked: Any) -> dict[str, Any]:
        """Take statements back."""
        return await self._at_desk(retract, self.desk, object_in(asked, "the request"))

    async def outcome(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What the latest correction changed, or the one that is asked for, and what was measured of it until now."""
        await self.refresh(is_due=True)
        await self._loaded()
        reviewed = await self._at_desk(self.desk.reviewed_places)
        run = text_in(asked, "run", default="", most=100)
        about = {"folder": str(self.folder), "run": run, "reviewed": reviewed[-20:]}
        return (await self.looks.look("outcome", as_of=self._runs_seen, **about))[0]  # type: ignore[no-any-return]

    async def decide(self, asked: Any) -> dict[str, Any]:
        """Keep or discard the correction that is named."""
        found = await asyncio.to_thread(decide, self.folder, object_in(asked, "the decision"))
        await self.refresh(is_due=True)
        return found

    async def export(self, name: str) -> bytes:
        """All that stands, as a file."""
        await self._loaded()
        _, found = await self.looks.ask("export", folder=str(self.folder), name=name)
        return found

    async def bring(self, written: bytes, name: str) -> dict[str, Any]:
        """Store the feedback in a file that somebody brings: JSON, or an archive of masks."""
        await self._loaded()
        suffix = ".zip" if name.lower().endswith(".zip") else ".json"
        with TemporaryDirectory() as place:
            source = Path(place) / f"brought{suffix}"
            with writing_in(Path(place)):
                await asyncio.to_thread(source.write_bytes, written)
            found, _ = await self.looks.ask("import", folder=str(self.folder), source=str(source))
        await self._at_desk(self.desk.catch_up)
        return found  # type: ignore[no-any-return]

    async def refresh(self, *, is_due: bool = False) -> None:
        """Look at the latest model if there is another one by now, at most once a second unless it is due now.

        Raises:
            StudyError: the store cannot be read. A damaged run is a warning, since it must keep nobody from saving.
        """
        if time.monotonic() - self._refreshed < 1 and not is_due:
            return
        self.looks.try_again()
        folders = await asyncio.to_thread(self.desk.study.run_folders)
        if len(folders) != self._runs_noted:
            await self._at_desk(self.desk.renew)
            self._runs_noted = len(folders)
        self.looks.settle("run")
        if len(folders) != self._runs_seen:
            await self._look_at_latest(len(folders))
        self._refreshed = time.monotonic()

    async def _look_at_latest(self, num_runs: int) -> None:
        try:
            run = await asyncio.to_thread(self.desk.study.latest, "train", "correct")
        except StudyError as error:
            self.looks.warn(str(error), about="run")
            return
        self._runs_seen = num_runs
        if run.name != self.run.name:
            self.run = run
            self.looks.use(run.name)

    async def _prepare(self, split: str, row: int) -> None:
        """Have the items explained that are likely to be looked at next."""
        rows = await self._at_desk(self.desk.ahead, split, row, NUM_AHEAD)
        self.looks.prepare([{"split": split, "row": later, "method": self._method("")} for later in rows])

    def _method(self, method: str) -> str:
        """A method that can be chosen; the usual one for any other name."""
        names = [found["name"] for found in self.desk.facts.get("methods", ())]
        return method if method in names else self.desk.facts.get("method", "")

    async def _at_desk(self, function: Callable[..., Found], *given: Any, **named: Any) -> Found:
        work = functools.partial(function, *given, **named)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _hear(self, message: Mapping[str, Any]) -> None:
        """What the looker tells about the data, in a thread of its own."""
        if self._is_closed:
            return
        if message["event"] == "ready":
            self._thread.submit(self.desk.hear_facts, message["facts"])
        else:
            self._thread.submit(self.desk.hear_predictions, message["split"], message["start"], message["said"])
