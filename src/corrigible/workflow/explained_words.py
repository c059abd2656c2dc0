"""What runs store of explained texts: the words of the values, and the share of each word over all rows."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.data.tokens import PADDING, Tokens

WORDS_FILE = "words.json"
"""The words of each row in order; the first values of the row belong to them."""
MOST_WORDS = 200


def word_shares(
    attributions: Iterable[Float[Tensor, " batch token"]], tokens: Tokens, *, most_words: int = MOST_WORDS
) -> list[tuple[str, float]]:
    """Each word's share of the absolute attribution of all rows, largest first."""
    sizes = torch.zeros(len(tokens.words), dtype=torch.float64)
    parts = list(attributions)
    for ids, part in zip(tokens.ids.cpu().split([len(part) for part in parts]), parts, strict=True):
        is_word = ids != PADDING
        sizes.index_add_(0, ids[is_word], part.double().abs().cpu()[is_word])
    shares, order = (sizes / sizes.sum().clamp_min(torch.finfo(sizes.dtype).tiny)).sort(descending=True, stable=True)
    pairs = zip(order[:most_words].tolist(), shares[:most_words].tolist(), strict=True)
    return [(tokens.words[number], share) for number, share in pairs if share > 0]


def words_of_rows(tokens: Tokens) -> list[list[str]]:
    """Each row's words, in the form of ``WORDS_FILE``."""
    return [list(tokens.row(row)) for row in range(len(tokens.ids))]
