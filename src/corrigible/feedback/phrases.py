"""Find the words that feedback names in the texts that it is about."""

import difflib
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from corrigible.data.dataset import strata_of
from corrigible.data.protocol import Dataset, columns_of, tokens_of
from corrigible.data.tokens import occurrences, tokenize
from corrigible.errors import FeedbackError
from corrigible.types import Features, Feedback, Phrase


def as_phrases(said: Feedback, dataset: Dataset) -> list[Feedback]:
    """The feedback itself; for texts, whose inputs have no names, each name as a phrase.

    So ``Feedback("breaking news", scope="dataset")`` is about two words of a text, and about one feature of a table.

    Raises:
        FeedbackError: a phrase without words.
    """
    if not isinstance(said.region, Features) or tokens_of(dataset) is None or columns_of(dataset) is not None:
        return [said]
    return [replace(said, region=phrase_in(name)) for name in said.region.names]


def phrase_in(text: str) -> Phrase:
    """The words of a text as a phrase.

    Raises:
        FeedbackError: it holds no words.
    """
    words = tuple(tokenize(text))
    if not words:
        raise FeedbackError(f"the phrase {text!r} holds no words")
    return Phrase(words)


def phrase_rows(said: Feedback, dataset: Dataset) -> dict[int, Bool[Tensor, " token"]]:
    """The places of the phrase's words, in each row that the feedback is about and that holds the phrase.

    Feedback on one row must find the phrase there; a rule may find it in no row of this data set.

    Raises:
        FeedbackError: data without words, a word that the vocabulary lacks, a row that does not hold the phrase.
    """
    assert isinstance(said.region, Phrase)
    tokens, text = tokens_of(dataset), " ".join(said.region.words)
    if tokens is None:
        raise FeedbackError(f"the phrase {text!r} is about texts, and this data has no words; mark other inputs")
    for word in said.region.words:
        if word not in tokens.words:
            near = difflib.get_close_matches(word, tokens.words, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise FeedbackError(
                f"no word {word!r} in the vocabulary: {hint}words are in lower case, and those that training texts "
                "hold once count as unknown: mark their places in single rows"
            )
    found = occurrences(tokens, said.region.words)
    holds = found.any(dim=1).cpu()
    if said.scope == "class":
        holds &= strata_of(dataset) == said.label
    if said.scope == "row":
        holds &= torch.arange(len(holds)) == said.row
        if not holds.any():
            assert said.row is not None
            raise FeedbackError(f"row {said.row} does not hold {text!r}; it reads: {' '.join(tokens.row(said.row))}")
    return {row: found[row].cpu() for row in holds.nonzero().flatten().tolist()}
