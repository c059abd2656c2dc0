"""Vocabularies: words and their vectors, learned from training texts without any download.

Half of a learned vector describes the words that a word occurs with: a truncated singular value decomposition of
positive pointwise mutual information (Levy and Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization",
section 6). The other half is random: two words with similar contexts still get different vectors.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from scipy import sparse
from torch import Tensor

from corrigible.data.tokens import PADDING, tokenize
from corrigible.errors import DataError
from corrigible.files import MOST_ROWS, require_fit
from corrigible.folders import write_atomically
from corrigible.strict_json import parse

UNKNOWN = "[unknown]"
"""Stands for every word that the vocabulary lacks; no text holds it, since brackets are separate tokens."""
WINDOW = 5
"""Words at most this many places apart count as co-occurring, with weight 1 for one place, 1/2 for two, and so on."""


@dataclass(frozen=True)
class Vocabulary:
    """Words and their vectors; one of the words is ``UNKNOWN``.

    Raises:
        DataError: not one vector per word, numbers that are not finite, or a vector of zeros, which means padding.
    """

    words: tuple[str, ...]
    vectors: Float[Tensor, " word dimension"]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.vectors) or not self.vectors.shape[1]:
            raise DataError(
                f"{len(self.words)} words and vectors of shape {tuple(self.vectors.shape)}; expected one per word"
            )
        twice = [word for word, count in Counter(self.words).items() if count > 1]
        if twice:
            raise DataError(f"the word {twice[0]!r} has {self.words.count(twice[0])} vectors; expected one")
        if UNKNOWN not in self.words:
            raise DataError(f"no vector for {UNKNOWN!r}, which stands for all other words; add one, such as the mean")
        is_bad = ~self.vectors.isfinite().all(dim=1) | (self.vectors == 0).all(dim=1)
        if bool(is_bad.any()):
            word = self.words[int(is_bad.nonzero()[0])]
            raise DataError(f"the vector of {word!r} is zero, which stands for padding, or not finite; leave it out")


def vocabulary_of(
    texts: Sequence[str], *, dimension: int = 64, least_count: int = 2, most_words: int = 20_000, seed: int = 0
) -> Vocabulary:
    """The words of training texts with vectors of length 1 learned from them; equal texts give equal vectors.

    Args:
        dimension: numbers per word.
        least_count: words that occur less often become ``UNKNOWN``.
        most_words: most words to keep, by frequency.

    Raises:
        DataError: no texts, or a dimension below 2.
    """
    if not texts or dimension < 2:
        raise DataError(f"{len(texts)} texts and dimension {dimension}; expected at least one text and 2 numbers")
    tokenized = [tokenize(text) for text in texts]
    counts = Counter(word for words in tokenized for word in words)
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:most_words]
    words = (UNKNOWN, *(word for word in frequent if counts[word] >= least_count))
    num_company = min(dimension // 2, len(words) - 1)
    company = _company_vectors(_numbered(tokenized, words), len(words), num_company, seed)
    drawn = np.random.default_rng(seed).normal(size=(len(words), dimension - num_company))
    vectors = _unit(np.concatenate([_unit(company), _unit(drawn)], axis=1))
    return Vocabulary(words, torch.from_numpy(vectors.astype(np.float32)))


def ids_of(texts: Sequence[str], vocabulary: Vocabulary, max_tokens: int) -> Int[Tensor, " row token"]:
    """The number of each text's first ``max_tokens`` words, padded to that length."""
    found = torch.full((len(texts), max_tokens), PADDING)
    for row, numbers in enumerate(_numbered([tokenize(text)[:max_tokens] for text in texts], vocabulary.words)):
        found[row, : len(numbers)] = torch.from_numpy(numbers)
    return found


def embedded(
    ids: Int[Tensor, " row token"], vectors: Float[Tensor, " word dimension"]
) -> Float[Tensor, " row token dimension"]:
    """The vector of each word; zeros for padding."""
    return torch.cat([vectors, torch.zeros_like(vectors[:1])])[ids.where(ids != PADDING, len(vectors))]


def write_vocabulary(path: Path, vocabulary: Vocabulary, *, learned_from: str = "") -> None:
    """Write the vocabulary to a safetensors file; ``learned_from`` identifies the texts it was learned from."""
    facts = {"words": json.dumps(vocabulary.words, ensure_ascii=False), "learned_from": learned_from}
    write_atomically(path, save({"vectors": vocabulary.vectors.contiguous()}, facts))


def read_vocabulary(path: Path) -> tuple[Vocabulary, str]:
    """The vocabulary that ``write_vocabulary`` wrote, and what it was learned from; "" for given vectors.

    Raises:
        DataError: the file is not a vocabulary, or is broken.
    """
    try:
        require_fit(path, most=MOST_ROWS, within=path.parent)
        with safe_open(path, "pt") as file:
            facts, vectors = file.metadata() or {}, file.get_tensor("vectors")
        words: Any = parse(facts["words"])
        is_list = isinstance(words, list) and all(isinstance(word, str) for word in words)
        if not is_list or vectors.ndim != 2 or not vectors.is_floating_point():
            raise ValueError("expected a list of words and one vector of floats for each")
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a vocabulary ({reason}); delete it to learn one from train.csv") from error
    try:
        return Vocabulary(tuple(words), vectors.float()), facts.get("learned_from", "")
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _numbered(tokenized: Sequence[Sequence[str]], words: Sequence[str]) -> list[NDArray[np.int64]]:
    numbers = {word: number for number, word in enumerate(words)}
    unknown = numbers[UNKNOWN]
    return [np.array([numbers.get(word, unknown) for word in text], dtype=np.int64) for text in tokenized]


def _company_vectors(texts: list[NDArray[np.int64]], num_words: int, dimension: int, seed: int) -> NDArray[np.float64]:
    """The leading singular vectors of positive pointwise mutual information, times the roots of their values."""
    # Imported here: scikit-learn takes a second to load.
    from sklearn.utils.extmath import randomized_svd

    counts = _counted_together(texts, num_words).tocoo()
    if not counts.nnz or not dimension:
        return np.zeros((num_words, dimension))
    totals = np.asarray(counts.sum(axis=1)).ravel()
    information = np.log(counts.data * totals.sum() / (totals[counts.row] * totals[counts.col]))
    positive = sparse.csr_matrix((np.maximum(information, 0), (counts.row, counts.col)), shape=counts.shape)
    directions, values, _ = randomized_svd(positive, dimension, random_state=seed)
    return np.asarray(directions * np.sqrt(values))


def _counted_together(texts: list[NDArray[np.int64]], num_words: int) -> Any:
    """How often two words co-occur, weighted by one over their distance."""
    shape, total = (num_words, num_words), sparse.csr_matrix((num_words, num_words))
    for distance in range(1, WINDOW + 1):
        first = np.concatenate([text[:-distance] for text in texts])
        second = np.concatenate([text[distance:] for text in texts])
        weights = np.full(len(first), 1 / distance)
        pairs = sparse.coo_matrix((weights, (first, second)), shape=shape).tocsr()
        total = total + pairs + pairs.T
    return total


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
