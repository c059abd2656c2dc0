"""The process that holds the model and the data: it explains what is asked for, then what will be asked for next.

Messages are JSON and bytes, so that nothing is unpickled. One that cannot be answered is answered by a line that says
why. The process ends with the pipe, so that none is left behind by a parent that was killed.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from corrigible.data.dataset import all_labels, task_of
from corrigible.data.protocol import class_names_of, files_of, tokens_of
from corrigible.data.tokens import PADDING
from corrigible.errors import CorrigibleError
from corrigible.feedback.masks import fingerprint
from corrigible.printable import one_line
from corrigible.regions.queries import QUERIES
from corrigible.study import open_study
from corrigible.workflow.reviews import drawn
from corrigible.workflow.reviews.counting import count_of, rows_with
from corrigible.workflow.reviews.exchanging import exported, imported
from corrigible.workflow.reviews.explained import item_of
from corrigible.workflow.reviews.kept import Kept
from corrigible.workflow.reviews.outcome import outcome_of
from corrigible.workflow.reviews.regions import region_from
from corrigible.workflow.reviews.subject import Subject, subject_of
from corrigible.workflow.reviews.tables import titles_of, what_if
from corrigible.workflow.reviews.taught import taught
from corrigible.workflow.reviews.why_not import why_not
from corrigible.workflow.row_texts import label_texts

ROWS_AT_ONCE = 256
MOST_WORDS_SHOWN = 24
log = logging.getLogger(__name__)
Answered = tuple[Any, bytes]


def look(folder: str, run: str, pipe: Connection) -> None:
    """Answer what comes through the pipe until it ends; in between, predict every row and explain rows ahead."""
    torch.set_num_threads(1)
    try:
        study = open_study(Path(folder))
        looking = _Looking(study.folder, subject_of(study, study.run_named(run)), pipe)
        looking.tell({"event": "ready", "facts": facts_of(looking.subject)})
        looking.serve()
    except (BrokenPipeError, ConnectionResetError, EOFError, KeyboardInterrupt):
        return
    except Exception as error:  # Whatever it is, also of the user's own code: the page must say why nothing is shown.
        log.debug("the looker ends", exc_info=True)
        with suppress(OSError):
            pipe.send_bytes(json.dumps({"event": "failed", "error": _said(error)}).encode() + b"\n")


class _Looking:
    """The state of the process."""

    def __init__(self, folder: Path, subject: Subject, pipe: Connection) -> None:
        self.folder, self.subject, self.pipe = folder, subject, pipe
        self.kept = Kept()
        self.waiting: list[dict[str, Any]] = []
        self.ahead: list[dict[str, Any]] = []
        self.predicting: Iterator[bool] | None = self._predictions()

    def serve(self) -> None:
        while True:
            self._receive(wait=not self.waiting and not self.ahead and self.predicting is None)
            if self.waiting:
                # The newest first: it is what somebody looks at now.
                self._answer(self.waiting.pop())
            elif self.ahead:
                self._prepare(self.ahead.pop(0))
            elif self.predicting is not None and next(self.predicting, None) is None:
                self.predicting = None

    def tell(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        self.pipe.send_bytes(json.dumps(message).encode() + b"\n" + payload)

    def _receive(self, *, wait: bool) -> None:
        while wait or self.pipe.poll():
            wait = False
            asked = json.loads(self.pipe.recv_bytes())
            if asked["do"] == "drop":
                self.waiting = [other for other in self.waiting if other["id"] != asked["which"]]
            elif asked["do"] == "ahead":
                self.ahead = asked["what"]
            else:
                self.waiting.append(asked)

    def _answer(self, asked: dict[str, Any]) -> None:
        try:
            found, payload = self._found(asked)
            self.tell({"id": asked["id"], "found": found}, payload)
        except (EOFError, OSError):
            raise
        except Exception as error:  # As above; other questions can be answered.
            log.debug("no answer", exc_info=True)
            self.tell({"id": asked["id"], "error": _said(error)})

    def _found(self, asked: Mapping[str, Any]) -> Answered:
        do, about = asked["do"], asked.get("about", {})
        if do not in KEPT:
            return ANSWERS[do](self.subject, **about)
        key = (do, *(str(about[name]) for name in sorted(about)))
        found = self.kept.at(key)
        if found is None:
            found = ANSWERS[do](self.subject, **about)
            self.kept.keep(key, found)
        return found

    def _prepare(self, about: dict[str, Any]) -> None:
        try:
            self._found({"do": "item", "about": about})
            if self.subject.kind == "image":
                self._found({"do": "map", "about": about})
        except Exception:  # Who asks for it is told.
            log.debug("nothing prepared", exc_info=True)

    def _predictions(self) -> Iterator[bool]:
        for split, data in self.subject.data.items():
            for index in torch.arange(len(data)).split(ROWS_AT_ONCE):
                rows = index.tolist()
                try:
                    said = _predicted(self.subject, split, rows)
                except Exception as error:  # noqa: BLE001  As above; other rows may be whole.
                    self.tell({"event": "not predicted", "split": split, "start": rows[0], "error": _said(error)})
                    continue
                self.tell({"event": "predicted", "split": split, "start": rows[0], "said": said})
                yield True


def _predicted(subject: Subject, split: str, index: list[int]) -> list[dict[str, Any]]:
    """What is predicted of each of these rows, with the hash of its input, so that saving need not ask for it."""
    rows = subject.rows(split, index)
    said = subject.said(split, rows, index)
    return [{**one, "fingerprint": fingerprint(x)} for one, x in zip(said, rows.x, strict=True)]


def facts_of(subject: Subject) -> dict[str, Any]:
    """What is known before any row is explained."""
    splits = {}
    for split, data in subject.data.items():
        has_classes, tokens = task_of(data).logits is not None, tokens_of(data)
        splits[split] = {
            "rows": len(data),
            "labels": all_labels(data).tolist() if has_classes else None,
            "texts": None if has_classes else label_texts(data, torch.arange(len(data))),
            "files": list(files_of(data)),
            "words": [] if tokens is None else (tokens.ids != PADDING).sum(dim=1).tolist(),
        }
    return {
        "kind": subject.kind,
        "task": subject.task.name,
        "shape": list(subject.shape),
        "classes": list(subject.class_names),
        "given_names": list(class_names_of(subject.first)),
        "methods": subject.methods,
        "method": subject.method,
        "strategies": list(QUERIES),
        "titles": titles_of(subject),
        "model": {"run": subject.run, "label": subject.label},
        "splits": splits,
    }


def _item(subject: Subject, split: str, row: int, method: str) -> Answered:
    return item_of(subject, split, row, method), b""


def _map(subject: Subject, split: str, row: int, method: str) -> Answered:
    return None, drawn.attribution_map(subject, split, row, method)


def _picture(subject: Subject, split: str, row: int, longest: int) -> Answered:
    return None, drawn.picture(subject, split, row, longest=longest)


def _segments(subject: Subject, split: str, row: int) -> Answered:
    return None, drawn.segments(subject, split, row)


def _what_if(subject: Subject, split: str, row: int, values: Mapping[str, Any], method: str) -> Answered:
    return what_if(subject, split, row, values, method), b""


def _why_not(subject: Subject, split: str, row: int, wanted: str) -> Answered:
    return why_not(subject, split, row, wanted), b""


def _taught(subject: Subject, split: str, row: int) -> Answered:
    return taught(subject, split, row), b""


def _count(subject: Subject, region: Any, scope: str, label: int | None) -> Answered:
    return count_of(subject, region_from(region, subject.shape), scope, label), b""


def _print(subject: Subject, split: str, row: int) -> Answered:
    return fingerprint(subject.rows(split, [row]).x[0]), b""


def _search(subject: Subject, split: str, words: list[str]) -> Answered:
    return rows_with(subject.data[split], words), b""


def _snippets(subject: Subject, split: str, rows: list[int]) -> Answered:
    tokens = tokens_of(subject.data[split])
    if tokens is None:
        return [None] * len(rows), b""
    words = (tokens.row(row) for row in rows)
    return [
        " ".join(found[:MOST_WORDS_SHOWN]) + (" …" if len(found) > MOST_WORDS_SHOWN else "") for found in words
    ], b""


def _outcome(subject: Subject, folder: str, run: str, reviewed: list[list[Any]]) -> Answered:
    places = [(split, row) for split, row in reviewed]
    return outcome_of(open_study(Path(folder)), run, places, subject=subject), b""


def _export(subject: Subject, folder: str, name: str) -> Answered:
    return None, exported(open_study(Path(folder)), subject, name)


def _import(subject: Subject, folder: str, source: str) -> Answered:
    return imported(Path(folder), Path(source)), b""


ANSWERS: Mapping[str, Callable[..., Answered]] = {
    "item": _item,
    "map": _map,
    "picture": _picture,
    "segments": _segments,
    "what_if": _what_if,
    "why_not": _why_not,
    "taught": _taught,
    "count": _count,
    "print": _print,
    "search": _search,
    "snippets": _snippets,
    "outcome": _outcome,
    "export": _export,
    "import": _import,
}
KEPT = ("item", "map", "segments", "print", "taught")
"""What is kept, the latest asked for."""


def _said(error: Exception) -> str:
    """What to say of an error: a line for one that a user can fix."""
    if isinstance(error, CorrigibleError):
        return str(error)
    return one_line(f"{type(error).__name__}: {error}")
