"""The process of a job: it runs one verb of a study and appends what the verb tells to an open file.

python -m corrigible.jobs.running STUDY VERB OPTIONS DESCRIPTOR
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.text import Text

from corrigible import workflow
from corrigible.errors import CorrigibleError
from corrigible.lines.as_json import fields_of
from corrigible.lines.printing import Step, step_in_words
from corrigible.lines.telling import told
from corrigible.printable import one_line, printable
from corrigible.progress import watched
from corrigible.workflow.records import Ahead

SECONDS_BETWEEN = 0.5
"""Between two lines about how far something is."""


class _File:
    """The job's file, to which lines are appended."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._progressed = 0.0

    def tell(self, content: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(content, allow_nan=False).encode() + b"\n")

    def progress(self, stage: str, number: int, total: int | None) -> None:
        """Tell how far a stage is, not too often."""
        if number and time.monotonic() - self._progressed < SECONDS_BETWEEN and number != total:
            return
        self._progressed = time.monotonic()
        how_far = f" {number}" + (f"/{total}" if total else "") if number else ""
        about = {"stage": stage, "number": number, "total": total}
        self.tell({"record": "Progress", **about, "line": f"{printable(stage)}{how_far}"})


class _Warnings(logging.Handler):
    """Tells what the library logs as a warning."""

    def __init__(self, file: _File) -> None:
        super().__init__(logging.WARNING)
        self.file = file

    def emit(self, record: logging.LogRecord) -> None:
        self.file.tell({"record": "Warning", "line": f"{record.levelname.lower()}: {one_line(record.getMessage())}"})


def main(study: str, verb: str, options: str, descriptor: int) -> None:
    """Run the verb with these options, as JSON, and write how it ended."""
    started = time.perf_counter()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Which a shell turns off for what runs behind it.
    os.set_inheritable(descriptor, False)
    file = _File(descriptor)
    logging.getLogger("corrigible").addHandler(_Warnings(file))
    state, sentence = "done", ""
    try:
        sentence = _run(file, getattr(workflow, verb)(Path(study), **json.loads(options)))
    except CorrigibleError as error:
        state, sentence = "failed", str(error)
    except KeyboardInterrupt:
        state, sentence = "cancelled", "cancelled; what had been finished before stays"
    except Exception as error:  # noqa: BLE001  Nobody else can tell the reader.
        state, sentence = "failed", one_line(f"{type(error).__name__}: {error}")
    seconds = round(time.perf_counter() - started, 2)
    file.tell({"event": "end", "state": state, "sentence": sentence, "seconds": seconds})


def _run(file: _File, records: Any) -> str:
    """Tell each record and the lines that a terminal would print; return the result of the last one."""
    found: list[Any] = []
    with closing(records), watched(file.progress):
        for said in told(_passing(file, records, found)):
            match said:
                case Ahead():
                    pass
                case Step():
                    file.tell({"record": "Step", **said._asdict(), "line": printable(step_in_words(said, 0))})
                case _:
                    file.tell({"record": "Line", "line": printable(Text.from_markup(said).plain)})
    return getattr(found[-1], "result", "") if found else ""


def _passing(file: _File, records: Iterator[Any], found: list[Any]) -> Iterator[Any]:
    for record, fields in fields_of(records):
        found[:] = [record]
        file.tell({**fields, "line": ""})
        yield record


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
