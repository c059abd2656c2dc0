"""Explain a text by its words, for any function that gives scores for texts, or for rows of (token, dimension).

Ribeiro, Singh and Guestrin 2016, "Why should I trust you?", section 3.1: words are present or absent.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.data.dataset import as_dataset, rows_of, task_of
from corrigible.data.protocol import tokens_of
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations.coalitions import EXPLAINERS as BY_COALITION
from corrigible.explanations.explaining import EXPLAINERS, Method, explain
from corrigible.explanations.groups import TOKEN
from corrigible.explanations.inputs import as_model
from corrigible.explanations.question import answers, asked_of, predicted_target
from corrigible.explanations.reading import meaning_of
from corrigible.figures import signed
from corrigible.methods import method_named, settings_of
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice

METHODS = {name: method for name, method in BY_COALITION.items() if name != "occlusion"}
"""Explainers of words by name; without occlusion, which for words is the same as feature ablation."""


@dataclass(frozen=True)
class Words:
    """How much each word of a text contributed to the score."""

    words: tuple[str, ...]
    """The words in the order of the text."""
    values: Float[Tensor, " word"]
    """The contribution of each word, in units of the score."""
    target: int
    """The class that is explained, or the number of the output: 0 if the function gives a single score."""
    whole: float
    """The score of the text."""
    nothing: float
    """The score of the text without any of its words."""

    def __str__(self) -> str:
        values = self.values.tolist()
        largest = max(map(abs, values), default=0.0)
        return "  ".join(f"{word} {signed(value, largest)}" for word, value in zip(self.words, values, strict=True))


def explain_words(
    function: Callable[[list[str]], Any],
    text: str,
    target: int | None = None,
    *,
    against: int | None = None,
    method: str = "lime",
    task: TaskChoice | None = None,
    split: str = r"\S+",
    mask: str | None = None,
    score: str | Score | None = None,
    seed: int = 0,
    texts_at_once: int = 32,
    **settings: Any,
) -> Words:
    """How much each word contributed to the score of the target class.

    Args:
        function: takes a list of texts and gives one score per text, or one per text and class.
        target: the class, or for other tasks the number of the output; None as in `explain`.
        against: a class: explain why the target rather than this one.
        method: a name in ``METHODS``.
        task: what the scores mean, as in `explain`: without a task, several are classes and a single one is a number.
        split: a regular expression for one word; text between words stays with the word before it.
        mask: what stands for an absent word, like ``[MASK]``; None to leave it out with what follows it.
        settings: settings of the method, such as ``samples``, or ``groups``: the number of each word's group, for words
            that are present or absent together.

    Raises:
        RecipeError: an unknown method, setting or score; no such regular expression.
        DataError: a text without words; a class that does not exist.
    """
    if method not in METHODS:
        raise RecipeError(unknown("explainer of words", method, METHODS))
    text_with, words = _parted(text, split, mask)

    def of_presence(presence: Float[Tensor, " text word"]) -> Any:
        return function([text_with(row) for row in presence.bool().tolist()])

    model, present = as_model(of_presence), torch.ones(1, len(words))
    ends = answers(model, torch.cat([present, 0 * present]), rows_at_once=texts_at_once)
    meaning = meaning_of(task, ends, score)
    chosen = int(meaning.target(ends)[0]) if target is None else target
    pair = chosen if against is None else (chosen, against)
    whole, nothing = asked_of(ends, pair, task=task, score=score).of(ends).tolist()
    shared: dict[str, Any] = {"method": method, "task": meaning.task, "seed": seed, "rows_at_once": texts_at_once}
    shared |= {} if score is None else {"score": score}
    values = explain(model, present, chosen, against=against, **shared, **settings)[0]
    return Words(words, values, chosen, whole, nothing)


def explain_texts(
    model: Callable[[Tensor], Any],
    data: Any,
    target: Any = None,
    *,
    rows: Sequence[int] | None = None,
    against: int | None = None,
    method: Method = "integrated_gradients",
    score: str | Score | None = None,
    **settings: Any,
) -> list[Words]:
    """How much each word of each text contributed to the score of its target class, in the order of the rows.

    Args:
        data: texts as `text_data` gives them.
        target: as in `explain`: by default the predicted class of each text.
        rows: the positions of the texts to explain; None for all.
        against, method, settings: as in `explain`; ``score`` too.

    Raises:
        DataError: data without words, or a row that it lacks.
        CorrigibleError: as `explain`.
    """
    dataset = as_dataset(data)
    if tokens_of(dataset) is None:
        raise DataError("the data has no words; expected texts, as corrigible.text_data gives them")
    index = torch.arange(len(dataset)) if rows is None else torch.tensor(list(rows), dtype=torch.long)
    if not len(index) or not 0 <= int(index.min()) <= int(index.max()) < len(dataset):
        raise DataError(f"rows {index.tolist()}; expected some of the rows 0 to {len(dataset) - 1}")
    texts, task = rows_of(dataset, index), task_of(dataset)
    assert texts.tokens is not None
    asked: dict[str, Any] = {"task": task} | ({} if score is None else {"score": score})
    if target is None:
        target = predicted_target(as_model(model), texts.x, **asked)
    chosen = torch.as_tensor(target).expand(len(index)).tolist()
    settings = settings_for_texts(method, settings)
    values = by_token(explain(model, texts.x, target, against=against, method=method, **asked, **settings)).cpu()
    ends = answers(model, torch.cat([texts.x, 0 * texts.x[:1]]))
    found = []
    for row, of in enumerate(chosen):
        pair = of if against is None else (of, against)
        whole, nothing = asked_of(ends, pair, **asked).of(ends[[row, -1]]).tolist()
        words = texts.tokens.row(row)
        found.append(Words(words, values[row, : len(words)], of, whole, nothing))
    return found


def _parted(text: str, split: str, mask: str | None) -> tuple[Callable[[list[bool]], str], tuple[str, ...]]:
    """A function that joins the words that are present into a text, and all words of the text."""
    try:
        found = [match for match in re.finditer(split, text) if match.group()]
    except re.error as error:
        raise RecipeError(f"split is {split!r}; expected a regular expression for one word ({error})") from error
    if not found:
        raise DataError(f"the text {text[:40]!r} holds no words as split={split!r} finds them")
    ends = [match.start() for match in found[1:]] + [len(text)]
    gaps = [text[match.end() : end] for match, end in zip(found, ends, strict=True)]
    words, before = tuple(match.group() for match in found), text[: found[0].start()]

    def text_with(present: list[bool]) -> str:
        absent = [mask + gap if mask is not None else "" for gap in gaps]
        whole = [word + gap for word, gap in zip(words, gaps, strict=True)]
        return before + "".join(w if here else a for here, w, a in zip(present, whole, absent, strict=True))

    return text_with, words


def settings_for_texts(method: Method, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with words as groups if the method has groups and none were chosen."""
    has_groups = "groups" in settings_of(method_named(method, EXPLAINERS, "explainer"))
    return {"groups": TOKEN, **settings} if has_groups else dict(settings)


def by_token(attribution: Float[Tensor, " batch token dimension"]) -> Float[Tensor, " batch token"]:
    """The attribution of each word: the sum over the numbers of its vector."""
    return attribution.sum(dim=2)
