"""Store what somebody said on a page, and take it back. It needs no model, only the hash of the row that was shown."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from corrigible.errors import FeedbackError
from corrigible.feedback.answers import KeyUsedError
from corrigible.said import Answer, Features, Feedback, Phrase, Pixels, Region
from corrigible.workflow.reviews.asked import key_in, list_in, number_in, text_in
from corrigible.workflow.reviews.desk import Desk
from corrigible.workflow.reviews.standing import Place
from corrigible.workflow.reviews.statements import About, answer_in

FITTING: Mapping[str, Any] = {"image": Pixels, "table": Features, "text": (Pixels, Phrase)}
"""The regions that can be marked on each kind of data; those of a text are places or words."""


class Conflict(NamedTuple):
    """Why an answer was not stored: somebody said something about the row since, or its key was used before."""

    body: Mapping[str, Any]


def stored_before(desk: Desk, asked: Mapping[str, Any]) -> dict[str, Any] | Conflict | None:
    """The numbers of what an answer with this key stored; a Conflict where that was another answer, None for no such.

    Raises:
        FeedbackError: an answer that is not well formed, or does not fit the data.
    """
    key, place = key_in(asked), desk.place(text_in(asked, "split"), number_in(asked, "row"))
    known = desk.store.answered(key)
    if known is None:
        return None
    return _stored(desk, place, *_read(desk, asked, place, known.fingerprint or ""))


def save(desk: Desk, asked: Mapping[str, Any], fingerprint: str) -> dict[str, Any] | Conflict:
    """Store an answer with its feedback; a Conflict where somebody said something about the row since.

    Args:
        fingerprint: of the row as the data holds it.

    Raises:
        FeedbackError: an answer that is not well formed, does not fit the data, or is about another item than it shows.
    """
    found = stored_before(desk, asked)
    if found is not None:
        return found
    place = desk.place(text_in(asked, "split"), number_in(asked, "row"))
    if text_in(asked, "fingerprint", default=fingerprint) != fingerprint:
        raise FeedbackError("the data changed: this is not what was shown; open and mark it again")
    desk.catch_up()
    seen = number_in(asked, "version")
    if desk.standing.version(place) != seen and asked.get("force") is not True:
        return Conflict({**desk.said_of(place), "sentence": _since(desk, place, seen)})
    answer, feedback = _read(desk, asked, place, fingerprint)
    for said in feedback:
        _require_fit(desk, place, said.region)
    return _stored(desk, place, answer, feedback)


def _read(desk: Desk, asked: Mapping[str, Any], place: Place, fingerprint: str) -> tuple[Answer, list[Feedback]]:
    about = About(place, fingerprint, tuple(desk.facts["shape"]), desk.class_of(place))
    return answer_in(asked, key_in(asked), about)


def _stored(desk: Desk, place: Place, answer: Answer, feedback: list[Feedback]) -> dict[str, Any] | Conflict:
    """Store the answer, unless it is stored already."""
    try:
        numbers = desk.store.answer(answer, feedback)
    except KeyUsedError as error:
        return Conflict({**desk.said_of(place), "error": str(error), "sentence": str(error)})
    desk.catch_up()
    return {"numbers": list(numbers), "version": desk.standing.version(place)}


def _require_fit(desk: Desk, place: Place, region: Region) -> None:
    """Raises FeedbackError for a region that the row cannot have: of another kind, an unknown feature, no such word."""
    kind, titles = desk.facts["kind"], desk.facts.get("titles", {})
    if not isinstance(region, FITTING[kind]):
        raise FeedbackError(f"no {kind} has such a region ({region}); mark something on what is shown")
    if isinstance(region, Features):
        unknown = [name for name in region.names if name not in titles]
        if unknown and not titles:
            raise FeedbackError("the columns of the data have no names, by which features are marked; name them")
        if unknown:
            raise FeedbackError(f"the table has no feature {unknown[0]!r}; expected one of {', '.join(titles)}")
    if kind == "text":
        _require_words(desk.known_items().splits[place[0]].num_words[place[1]], region)


def _require_words(num_words: int, region: Region) -> None:
    """Raises FeedbackError for words that a text of so many words does not have."""
    if not num_words:
        raise FeedbackError("this text has no words, so that nothing of it can be marked; answer that nothing is wrong")
    if isinstance(region, Pixels):
        last = int(region.mask.nonzero()[0].max()) + 1
        if last > num_words:
            raise FeedbackError(f"word {last} of a text of {num_words} words is marked; mark words that are there")
    elif isinstance(region, Phrase) and len(region.words) > num_words:
        raise FeedbackError(f"{len(region.words)} words are marked, and the text has {num_words}; mark fewer")


def _since(desk: Desk, place: Place, version: int) -> str:
    standing = desk.standing
    answers = [answer.author for number, answer in standing.answers.get(place, ()) if number > version]
    said = [standing.said[number].author for number in standing.by_row.get(place, ()) if number > version]
    who = " and ".join(dict.fromkeys(name or "somebody" for name in (*answers, *said))) or "somebody"
    return f"Meanwhile {who} said something about this {desk.thing}. Look at it, then save again: both are kept."


def retract(desk: Desk, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Take statements back; those that were taken back before are left as they are.

    Raises:
        FeedbackError: numbers of no statements.
    """
    numbers = [number_in({"number": number}, "number") for number in list_in(asked, "numbers")]
    key_in(asked)
    desk.catch_up()
    standing = [n for n in dict.fromkeys(numbers) if n not in desk.standing.retracted]
    author, note = text_in(asked, "author", default=""), text_in(asked, "note", default="")
    desk.store.retract_all(standing, author=author, note=note)
    desk.catch_up()
    return {"numbers": numbers}
