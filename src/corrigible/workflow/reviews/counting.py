"""How many rows a statement would be about."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from corrigible.data.dataset import strata_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.tokens import occurrences
from corrigible.errors import FeedbackError
from corrigible.printable import plural
from corrigible.types import Phrase, Region
from corrigible.workflow.reviews.items import THINGS
from corrigible.workflow.reviews.subject import Subject

NUM_EXAMPLES = 6


def count_of(subject: Subject, region: Region, scope: str, label: int | None) -> dict[str, Any]:
    """The training rows that a statement would be about, with examples.

    Raises:
        FeedbackError: an unknown scope or class, or a word that no row holds.
    """
    split, data = next(iter(subject.data.items()))
    chosen = torch.ones(len(data), dtype=torch.bool)
    thing = THINGS[subject.kind]
    where = f"training {thing}s"
    if scope == "class":
        if label is None or not 0 <= label < len(subject.class_names):
            raise FeedbackError("a remark about a class names none; choose the class")
        chosen = strata_of(data) == label
        where = f"training {thing}s of “{subject.class_names[label]}”"
    elif scope not in ("dataset", "row"):
        raise FeedbackError(f"scope is {scope!r}; expected row, class or dataset")
    num_of = int(chosen.sum())
    if isinstance(region, Phrase):
        chosen = chosen & _holding(data, region.words)
    rows = chosen.nonzero().flatten()
    count = len(rows)
    sentence = f"This is about {plural(count, thing)} of {num_of:,} {where}."
    if count == num_of:
        sentence = f"This is about all {num_of:,} {where}."
    places = torch.linspace(0, max(count - 1, 0), min(count, NUM_EXAMPLES)).round().long()
    examples = [[split, row] for row in rows[places].tolist()] if count else []
    return {"rows": count, "of": num_of, "sentence": sentence, "examples": examples}


def rows_with(data: Dataset, words: Sequence[str]) -> list[int]:
    """The rows whose text holds these words side by side; none for rows that are no texts."""
    if tokens_of(data) is None:
        return []
    return _holding(data, words).nonzero().flatten().tolist()


def _holding(data: Dataset, words: Sequence[str]) -> Bool[Tensor, " row"]:
    tokens = tokens_of(data)
    if tokens is None:
        raise FeedbackError(f"“{' '.join(words)}” is about texts, and these rows have no words")
    try:
        return occurrences(tokens, words).any(dim=1).cpu()
    except KeyError:
        return torch.zeros(len(data), dtype=torch.bool)
