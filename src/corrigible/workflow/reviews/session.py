"""A review without a study: a model and rows in memory, and what was said so far, as a list."""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from corrigible.arguments import whole_number
from corrigible.data.dataset import all_labels
from corrigible.errors import CorrigibleError, FeedbackError, RecipeError, unknown
from corrigible.explanations.explaining import EXPLAINERS
from corrigible.feedback.checks import as_list, shortened
from corrigible.feedback.masks import fingerprint, marks_of
from corrigible.models.networks import trainable_network
from corrigible.printable import plural
from corrigible.said import Answer, Feedback
from corrigible.workflow.reviews import drawn
from corrigible.workflow.reviews.asked import key_in, number_in, object_in, text_in
from corrigible.workflow.reviews.counting import count_of
from corrigible.workflow.reviews.explained import item_of
from corrigible.workflow.reviews.in_memory import given, require_model_of
from corrigible.workflow.reviews.items import THINGS
from corrigible.workflow.reviews.regions import BEGINS, region_as_json, region_from, region_in_words
from corrigible.workflow.reviews.statements import About, answer_in
from corrigible.workflow.reviews.subject import METHODS, Subject
from corrigible.workflow.reviews.tables import what_if
from corrigible.workflow.reviews.taught import taught
from corrigible.workflow.reviews.why_not import why_not

SPLIT = "train"
ROWS_AT_ONCE = 256


class Session:
    """The items of one model, and the feedback about them.

    Args:
        model: anything that `corrigible.correct` takes.
        data: likewise; rows of it are reviewed.
        feedback: what is known already, a list of `Feedback`.
        rows: what to look at, in this order, by number; by default what is predicted wrongly, then the others.
        method: the explainer; by default the usual one for such data.

    Raises:
        CorrigibleError: a model that does not fit the data, an unknown row or explainer, or feedback that does not
            fit the data.
    """

    def __init__(
        self,
        model: Any,
        data: Any,
        feedback: Any = (),
        *,
        rows: Any = None,
        method: str | None = None,
        seed: int = 0,
    ) -> None:
        self.given, network, seed = given(data), trainable_network(model), whole_number("seed", seed)
        require_model_of(network, self.given.data)
        self.feedback: list[Feedback] = as_list(feedback)
        if self.feedback:
            marks_of(self.feedback, self.given.data)
        self.answers: list[Answer] = []
        kind = Subject(network, {SPLIT: self.given.shown}, "").kind
        if method is not None and method not in EXPLAINERS:
            raise RecipeError(unknown("method", str(method), EXPLAINERS))
        self.subject = Subject(network, {SPLIT: self.given.shown}, method or METHODS[kind][0], seed=seed)
        self.rows = self._order() if rows is None else self._chosen(rows)

    def item(self, row: int, method: str = "") -> dict[str, Any]:
        """The item as the page shows it, with pictures inside."""
        found = item_of(self.subject, SPLIT, row, method)
        about = [self.given.as_shown(each) for each in self.feedback if each.row == row and each.split == SPLIT]
        said = [
            {
                "id": number,
                "polarity": each.polarity,
                "scope": each.scope,
                "author": each.author,
                "at": "",
                "note": each.note,
                "region": region_as_json(each.region),
                "text": region_in_words(each.region, {}),
            }
            for number, each in enumerate(about)
        ]
        if self.subject.kind == "image":
            pictures = {
                "picture": drawn.picture(self.subject, SPLIT, row),
                "map": drawn.attribution_map(self.subject, SPLIT, row, found["method"]["name"]),
                "segments": drawn.segments(self.subject, SPLIT, row),
            }
            urls = {name: BEGINS + base64.b64encode(png).decode() for name, png in pictures.items()}
            found["image"] = {**found["image"], **urls}
        return {**found, "said": said, "version": len(about), "methods": self.subject.methods}

    def next(self, after: int | None = None) -> dict[str, Any]:
        """The next item that nobody answered; a last sentence where there is none."""
        done = {answer.row for answer in self.answers}
        left = [row for row in self.rows if row not in done and row != after]
        place = self.rows.index(after) if after in self.rows else -1
        later = [row for row in self.rows[place + 1 :] if row in left]
        if not left:
            things = f"{THINGS[self.subject.kind]}s"
            return {"done": True, "sentence": f"All {things} were looked at: {plural(len(self.feedback), 'remark')}."}
        return {**self.item((later or left)[0]), "left": len(left)}

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Keep an answer and what was said with it; the same key again changes nothing.

        Raises:
            FeedbackError: something in it is not well formed, or does not fit the data.
        """
        key, row = key_in(asked), number_in(asked, "row")
        if all(answer.key != key for answer in self.answers):
            label = int(all_labels(self.given.data)[self._row(row)]) if self.subject.task.logits is not None else None
            about = About((SPLIT, row), fingerprint(self.subject.rows(SPLIT, [row]).x[0]), self.subject.shape, label)
            answer, remarks = answer_in(asked, key, about)
            feedback = [self.given.as_given(each) for each in remarks]
            for each in feedback:
                marks_of([each], self.given.data)  # What `correct` would refuse, is refused here.
            self.answers.append(answer)
            self.feedback.extend(feedback)
        return {"numbers": [], "version": sum(each.row == row for each in self.feedback)}

    def asked(self, do: str, body: Any) -> dict[str, Any]:
        """The answer to a question of the page; ``error`` in it is a line that can be shown."""
        doing: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "next": lambda body: self.next(body.get("after")),
            "answer": self.answer,
            "explain": lambda body: self.item(self._row(number_in(body, "row")), text_in(body, "method")),
            "whatif": self._what_if,
            "whynot": lambda body: why_not(
                self.subject, SPLIT, self._row(number_in(body, "row")), text_in(body, "wanted")
            ),
            "taught": lambda body: taught(self.subject, SPLIT, self._row(number_in(body, "row"))),
            "count": self._count,
        }
        try:
            if do not in doing:
                raise FeedbackError(unknown("question", str(do), doing))
            return doing[do](object_in(body, "the question"))
        except CorrigibleError as error:
            return {"error": str(error)}

    def _what_if(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return what_if(
            self.subject, SPLIT, self._row(number_in(body, "row")), object_in(body.get("values"), "values"), ""
        )

    def _why_not(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return why_not(self.subject, SPLIT, self._row(number_in(body, "row")), text_in(body, "wanted"))

    def _count(self, body: Mapping[str, Any]) -> dict[str, Any]:
        region, name = region_from(body.get("region"), self.subject.shape), body.get("label")
        label = self.subject.class_names.index(name) if name in self.subject.class_names else None
        return count_of(self.subject, region, text_in(body, "scope"), label)

    def _row(self, row: int) -> int:
        """The row itself.

        Raises:
            FeedbackError: there is no such row.
        """
        if not 0 <= row < len(self.given.data):
            raise FeedbackError(f"there is no row {row}; expected one from 0 to {len(self.given.data) - 1}")
        return row

    def _chosen(self, rows: Any) -> list[int]:
        """These rows, each once.

        Raises:
            FeedbackError: no list of whole numbers, an unknown row, or none at all.
        """
        is_list = isinstance(rows, Iterable) and not isinstance(rows, str | bytes)
        found = [self._row(whole_number("a row", row)) for row in rows] if is_list else []
        if not found:
            raise FeedbackError(f"rows are {shortened(rows)}; expected some from 0 to {len(self.given.data) - 1}")
        return list(dict.fromkeys(found))

    def _order(self) -> list[int]:
        """All rows, those that are predicted wrongly first."""
        count, wrong = len(self.subject.first), []
        for index in torch.arange(count).split(ROWS_AT_ONCE):
            rows = index.tolist()
            said = self.subject.said(SPLIT, self.subject.rows(SPLIT, rows), rows)
            wrong += [row for row, each in zip(rows, said, strict=True) if each["is_right"] is False]
        return [*wrong, *(row for row in range(count) if row not in set(wrong))]
