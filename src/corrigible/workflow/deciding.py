"""The verbs that say of a correction whether it is to be used: keep and discard. Nothing is deleted."""

from collections.abc import Iterator
from pathlib import Path

from corrigible.errors import FeedbackError, StudyError
from corrigible.run_records import DISCARD, KEEP
from corrigible.study import Run, Study, open_study
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Finished


def keep(folder: Path, *, run: str = "", author: str = "", note: str = "") -> Iterator[Finished]:
    """Say that a correction is to be used, the latest if none is named; a run records who says so.

    Raises:
        StudyError: there is no such correction.
    """
    yield from _decided(folder, KEEP, run, author, note)


def discard(folder: Path, *, run: str = "", author: str = "", note: str = "") -> Iterator[Finished]:
    """Say that a correction is not to be used, the latest if none is named; a run records who says so.

    All other verbs then pass over it. What was said stays; ``keep`` takes the decision back.

    Raises:
        StudyError: there is no such correction.
    """
    yield from _decided(folder, DISCARD, run, author, note)


def _decided(folder: Path, decision: str, run: str, author: str, note: str) -> Iterator[Finished]:
    for what, text in (("author", author), ("note", note)):
        if len(text) > 2000:
            raise FeedbackError(f"{what} has {len(text):,} characters; expected at most 2,000")
    study = open_study(folder)
    correction = correction_named(study, run)
    with study.new_run(decision, parent=correction.name, author=author, note=note) as draft:
        pass
    assert draft.published is not None
    told = "is the model from now on" if decision == KEEP else "is passed over from now on; its run stays"
    result = f"{correction.name} {told}"
    yield Finished(decision, str(draft.published), result=result, next=next_steps(folder, decision))


def correction_named(study: Study, name: str) -> Run:
    """The correction of that name or number; the latest that was not discarded if none is named.

    Raises:
        StudyError: there is no such correction.
    """
    run = study.run_named(name) if name else study.latest("correct")
    if run.verb != "correct":
        raise StudyError(f"{run.name} is no correction; name a run of correct")
    return run
