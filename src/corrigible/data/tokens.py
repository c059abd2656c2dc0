"""The words of texts and their places in the rows of a data set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
"""One token: letters and digits with apostrophes inside, or any other single character; spaces and _ only separate."""
PADDING = -1
"""The number of a place without a word."""


def tokenize(text: str) -> list[str]:
    """The tokens of a text in lower case, as ``WORD`` finds them."""
    return WORD.findall(text.lower())


@dataclass(frozen=True)
class Tokens:
    """The words of texts, by number, and their places."""

    ids: Int[Tensor, " row token"]
    """The number of the word in ``words``; ``PADDING`` after the end of the text."""
    words: tuple[str, ...]
    vectors: Float[Tensor, " word dimension"] | None = None
    """The vector of each word, where `text_data` made the rows."""

    def of(self, index: Int[Tensor, " batch"]) -> "Tokens":
        """The tokens of the rows at these positions."""
        return replace(self, ids=self.ids[index.to(self.ids.device)])

    def row(self, row: int) -> tuple[str, ...]:
        """The words of one row."""
        return tuple(self.words[number] for number in self.ids[row].tolist() if number != PADDING)


def occurrences(tokens: Tokens, words: Sequence[str]) -> Bool[Tensor, " row token"]:
    """True on each token of every occurrence of these words in this order, side by side.

    Raises:
        KeyError: a word that is not among ``tokens.words``.
    """
    numbers = {word: number for number, word in enumerate(tokens.words)}
    wanted = [numbers[word] for word in words]
    ids = tokens.ids
    found = torch.zeros_like(ids, dtype=torch.bool)
    num_starts = ids.shape[1] - len(wanted) + 1
    if not wanted or num_starts < 1:
        return found
    begins = torch.stack([ids[:, k : k + num_starts] == number for k, number in enumerate(wanted)]).all(dim=0)
    for k in range(len(wanted)):
        found[:, k : k + num_starts] |= begins
    return found
