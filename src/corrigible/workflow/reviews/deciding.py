"""The decision about a correction, as a page sends it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corrigible import workflow
from corrigible.errors import FeedbackError
from corrigible.workflow.reviews.asked import text_in


def decide(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Keep or discard the correction that is named; what was decided, in a sentence.

    Raises:
        FeedbackError: another decision, or no run is named.
        StudyError: there is no such correction.
    """
    verbs = {"keep": workflow.keep, "discard": workflow.discard}
    verb = verbs.get(text_in(asked, "decision", default=""))
    if verb is None:
        raise FeedbackError("the decision is neither keep nor discard; choose one")
    about = {name: text_in(asked, name, default="") for name in ("run", "author", "note")}
    if not about["run"]:
        raise FeedbackError("the decision names no run; load the page again, which shows the correction")
    (finished,) = verb(folder, **about)
    return {"run": about["run"], "sentence": finished.result}
