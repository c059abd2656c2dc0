"""What was marked in texts, ready to be put into other texts and taken out of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.augment.chances import chances
from corrigible.types import Batch

Words = Float[Tensor, " word dimension"]


@dataclass(frozen=True)
class WordCues:
    """The marked phrases, each with how often a label row gets it or loses it."""

    phrases: tuple[Words, ...]
    chance: tuple[float, ...]


def word_cues(reviewed: Batch) -> WordCues:
    """The phrases marked on these rows, each with its chance (`chances`)."""
    found = phrases_of(reviewed)
    chance = chances(torch.tensor([len(rows) for _, rows in found]))
    return WordCues(tuple(phrase for phrase, _ in found), tuple(chance.tolist()))


def phrases_of(reviewed: Batch) -> list[tuple[Words, set[int]]]:
    """The marked phrases, each with the rows on which it is marked, counted from 0."""
    assert reviewed.irrelevant is not None
    found: list[tuple[Words, set[int]]] = []
    for row, (x, places) in enumerate(zip(reviewed.x, reviewed.irrelevant.any(dim=2), strict=True)):
        for begin, end in runs(places):
            phrase = x[begin:end]
            same = next((rows for known, rows in found if known.shape == phrase.shape and known.equal(phrase)), None)
            if same is None:
                found.append((phrase, {row}))
            else:
                same.add(row)
    return found


def without_words(x: Tensor, phrases: Sequence[tuple[Words, set[int]]]) -> Tensor:
    """The texts without these phrases."""
    for words, _ in phrases:
        x = without_places(x, occurrences(x, words.to(x)))
    return x


def runs(places: Bool[Tensor, " token"]) -> Iterator[tuple[int, int]]:
    """Where marked words stand side by side: from, and up to."""
    begin = None
    for place, is_marked in enumerate([*places.tolist(), False]):
        if is_marked and begin is None:
            begin = place
        if not is_marked and begin is not None:
            yield begin, place
            begin = None


def with_words_moved(batch: Batch, cues: WordCues, generator: torch.Generator) -> Batch:
    """The batch with marked phrases taken out of its texts and put into half of them, at drawn places.

    A text that is full loses its last words. What was marked is then marked where it stands.
    """
    x, size = batch.x, len(batch.x)
    # Drawn for the whole batch: a phrase that few rows mark then costs nothing on most batches.
    is_moved = torch.rand(len(cues.phrases), generator=generator) < torch.tensor(cues.chance)
    for place in is_moved.nonzero().flatten().tolist():
        words = cues.phrases[place].to(x)
        is_put_in, where = torch.rand(2, size, generator=generator).to(x.device)
        x = with_words(without_places(x, occurrences(x, words)), words, is_put_in < 0.5, where)
    marks = batch.irrelevant
    if marks is not None:
        found = torch.stack([occurrences(x, phrase.to(x)) for phrase in cues.phrases]).any(dim=0)
        marks = found[:, :, None].expand_as(x)
    return replace(batch, x=x, irrelevant=marks)


def without_places(x: Tensor, is_gone: Bool[Tensor, " row token"]) -> Tensor:
    """The texts without these words; the rest moves together."""
    kept = x.masked_fill(is_gone[:, :, None], 0)
    order = is_gone.long().argsort(dim=1, stable=True)
    return kept.gather(1, order[:, :, None].expand_as(x))


def with_words(x: Tensor, words: Words, rows: Bool[Tensor, " row"], where: Float[Tensor, " row"]) -> Tensor:
    """These texts with the words put in; ``where`` is the share of a text that stands before them."""
    length = (x != 0).any(dim=2).sum(dim=1)
    begin = (where * (length + 1)).long()[:, None]
    begin = begin.clamp_max(max(0, x.shape[1] - len(words)))
    token = torch.arange(x.shape[1], device=x.device)[None]
    is_new = (token >= begin) & (token < begin + len(words))
    source = torch.where(token < begin, token, (token - len(words)).clamp_min(0))
    moved = x.gather(1, source[:, :, None].expand_as(x))
    put_in = words[(token - begin).clamp(0, len(words) - 1)]
    return torch.where(rows[:, None, None], torch.where(is_new[:, :, None], put_in, moved), x)


def occurrences(x: Float[Tensor, " row token dimension"], phrase: Words) -> Bool[Tensor, " row token"]:
    """True on each word of every place where these words stand in this order, side by side."""
    found = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
    num_starts = x.shape[1] - len(phrase) + 1
    if num_starts < 1:
        return found
    is_word = [(x[:, k : k + num_starts] == word).all(dim=2) for k, word in enumerate(phrase)]
    begins = torch.stack(is_word).all(dim=0)
    for k in range(len(phrase)):
        found[:, k : k + num_starts] |= begins
    return found
