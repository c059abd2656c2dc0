"""Find the words that feedback names in the texts that it is about."""

import difflib

import torch
from jaxtyping import Bool
from torch import Tensor

from corrigible.data.dataset import strata_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.tokens import occurrences
from corrigible.errors import FeedbackError
from corrigible.types import Feedback, Phrase


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
