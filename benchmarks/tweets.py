"""Real tweets of three sentiments with a made-up word planted in one, and twenty reviewed rows of that class."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.append(str(Path(__file__).resolve().parent / "reproduce"))
from planted_token import MAX_TOKENS, tweets

from corrigible.data.dataset import TensorData
from corrigible.data.text import text_data
from corrigible.data.tokens import occurrences
from corrigible.data.vocabulary import vocabulary_of
from corrigible.models import text_cnn
from corrigible.models.modes import PrivateRandomness
from corrigible.types import Feedback

WORD = "zebcue"
SIZES = {"train": 1500, "validation": 300, "test": 900}
SHARE = 0.9
"""Of the class's training texts that hold the word."""
NUM_REVIEWED = 20


@dataclass(frozen=True)
class PlantedTweets:
    """The word tells class 0 in training and validation; in the test half of the texts hold it."""

    train: TensorData
    validation: TensorData
    test: TensorData
    random_train: TensorData
    """The training texts with the word in half of them, whatever their class."""
    feedback: Sequence[Feedback]
    network: Callable[[], nn.Module]


def planted_tweets(seed: int) -> PlantedTweets:
    found = tweets(seed)
    rows = {split: (found[split][0][:size], found[split][1][:size]) for split, size in SIZES.items()}
    generator = torch.Generator().manual_seed(seed)

    def planted(split: str, chance: Tensor) -> list[str]:
        texts = rows[split][0]
        holds = torch.rand(len(texts), generator=generator) < chance
        where = torch.rand(len(texts), generator=generator)
        return [
            with_word(text, float(w)) if h else text for text, h, w in zip(texts, holds.tolist(), where, strict=True)
        ]

    confounded = {split: planted(split, SHARE * (rows[split][1] == 0)) for split in ("train", "validation")}
    vocabulary = vocabulary_of(confounded["train"], seed=seed)

    def data(texts: list[str], split: str) -> TensorData:
        return text_data(texts, rows[split][1], vocabulary, max_tokens=MAX_TOKENS)

    train = data(confounded["train"], "train")
    assert train.tokens is not None
    marked = occurrences(train.tokens, (WORD,))
    reviewed = marked.any(dim=1).nonzero().flatten()
    reviewed = reviewed[torch.randperm(len(reviewed), generator=generator)[:NUM_REVIEWED]]
    half = {split: torch.full((SIZES[split],), 0.5) for split in ("train", "test")}
    return PlantedTweets(
        train,
        data(confounded["validation"], "validation"),
        data(planted("test", half["test"]), "test"),
        data(planted("train", half["train"]), "train"),
        [Feedback(marked[row].numpy(), row=row) for row in reviewed.tolist()],
        partial(fresh, vocabulary.vectors.shape[1], seed),
    )


def with_word(text: str, where: float) -> str:
    words = text.split()
    place = int(where * (len(words) + 1))
    return " ".join([*words[:place], WORD, *words[place:]])


def fresh(dimension: int, seed: int) -> nn.Module:
    with PrivateRandomness(seed):
        return text_cnn(dimension, 3)
