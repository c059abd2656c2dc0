"""An answer as a page sends it, read into what is stored."""

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from corrigible.errors import FeedbackError
from corrigible.feedback.answers import ANSWERS
from corrigible.feedback.checks import require_known
from corrigible.said import Answer, Feedback, Polarity, Scope
from corrigible.workflow.reviews.asked import list_in, object_in, text_in, texts_in
from corrigible.workflow.reviews.regions import region_from
from corrigible.workflow.reviews.standing import Place

MOST_SECONDS = 6 * 3600


class About(NamedTuple):
    """What an answer is about."""

    place: Place
    fingerprint: str
    """Of the row's input."""
    shape: tuple[int, ...]
    """That of one input."""
    label: int | None
    """The row's class; None where labels are no classes."""


def answer_in(asked: Mapping[str, Any], key: str, about: About) -> tuple[Answer, list[Feedback]]:
    """The answer, and the feedback that was said with it.

    Raises:
        FeedbackError: something in it is not well formed, or does not fit the data.
    """
    split, row = about.place
    author, note = text_in(asked, "author", default=""), text_in(asked, "note", default="")
    feedback = [_statement(said, about, author, note) for said in list_in(asked, "says")]
    answer = text_in(asked, "answer", default="marked" if feedback else "")
    require_known("answer", answer, ANSWERS)
    if (answer == "marked") != bool(feedback):
        raise FeedbackError(
            "the answer is marked and nothing is; mark a region, or answer that nothing is wrong"
            if answer == "marked"
            else f"the answer is {answer!r} and something is marked; expected one of both"
        )
    named = {"author": author, "note": note, "shown": texts_in(asked, "shown"), "fingerprint": about.fingerprint}
    return Answer(row, answer, split, key, seconds=_seconds(asked.get("seconds")), **named), feedback  # type: ignore[arg-type]


def _seconds(found: Any) -> float | None:
    """How long somebody looked; None where that is no such number, since the answer does not depend on it."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not found >= 0:
        return None
    return float(min(found, MOST_SECONDS))


def _statement(said: Any, about: About, author: str, note: str) -> Feedback:
    said = object_in(said, "what is said")
    scope, polarity = text_in(said, "scope", default="row"), text_in(said, "polarity", default="irrelevant")
    require_known("scope", scope, get_args(Scope))
    require_known("polarity", polarity, get_args(Polarity))
    region = region_from(said.get("region"), about.shape)
    if scope == "class" and about.label is None:
        raise FeedbackError("the labels are no classes; say it about this one, or about all")
    split, row = about.place
    label = about.label if scope == "class" else None
    named = {"author": author, "note": note, "fingerprint": about.fingerprint}
    return Feedback(region, polarity, row, split, scope, label, **named)  # type: ignore[arg-type]
