"""Move marked phrases of texts: take them out, and put them into other texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.augment.chances import chances
from corrigible.types import Batch

MOST_PUT_IN = 8
"""Most different phrases that are put into texts that are changed together."""
Words = Float[Tensor, " word dimension"]


@dataclass(frozen=True)
class WordCues:
    """The marked phrases, each with how often it is put into or taken out of a label row."""

    phrases: tuple[Words, ...]
    chance: tuple[float, ...]
    left: frozenset[int] = frozenset()
    """The places of phrases that are left where they are; all draws stay the same."""


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
    """The runs of consecutive marked words, each as its first place and the place after its last."""
    begin = None
    for place, is_marked in enumerate([*places.tolist(), False]):
        if is_marked and begin is None:
            begin = place
        if not is_marked and begin is not None:
            yield begin, place
            begin = None


def with_words_moved(batch: Batch, cues: WordCues, generator: torch.Generator) -> Batch:
    """The batch with marked phrases taken out of its texts and put into others, at drawn places.

    If one or two phrases are marked, each is put into half of the texts; if there are more, a text gets one or none. A
    text that is full loses its last words. Marks follow their words to the new places.
    """
    x, size = batch.x, len(batch.x)
    # Drawn for all texts at once, so that a phrase that few rows mark mostly costs nothing.
    is_moved = torch.rand(len(cues.phrases), generator=generator) < torch.tensor(cues.chance)
    drawn = is_moved.nonzero().flatten().tolist()
    moved = [cues.phrases[place].to(x) for place in drawn]
    if not moved:
        return batch
    is_gone = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
    for place, words in zip(drawn, moved, strict=True):
        if place not in cues.left:
            is_gone |= occurrences(x, words)
    text = _Text.of(x, is_gone)
    chosen = torch.randperm(len(moved), generator=generator)[:MOST_PUT_IN].tolist()
    only = torch.randint(len(chosen) + 1, (size,), generator=generator).to(x.device)
    for number, place in enumerate(chosen):
        chance, where = torch.rand(2, size, generator=generator).to(x.device)
        if drawn[place] in cues.left:
            continue
        text = text.with_words(moved[place], chance < 0.5 if len(chosen) <= 2 else only == number, where)
    x, marks = text.read(), batch.irrelevant
    if marks is not None:
        found = torch.stack([occurrences(x, phrase.to(x)) for phrase in cues.phrases]).any(dim=0)
        marks = found[:, :, None].expand_as(x)
    return replace(batch, x=x, irrelevant=marks)


@dataclass(frozen=True)
class _Text:
    """Texts that are being edited: the available words, and which of them stands where."""

    words: Float[Tensor, " row word dimension"]
    """The texts' own words, padding, and the words that are put in."""
    order: Int[Tensor, " row token"]
    length: Int[Tensor, " row"]

    @staticmethod
    def of(x: Float[Tensor, " row token dimension"], is_gone: Bool[Tensor, " row token"]) -> "_Text":
        """The texts without these words; the others close the gaps."""
        is_kept = (x != 0).any(dim=2) & ~is_gone
        length, token = is_kept.sum(dim=1), torch.arange(x.shape[1], device=x.device)
        order = (~is_kept).long().argsort(dim=1, stable=True)
        padding = x.shape[1]
        return _Text(
            torch.cat([x, torch.zeros_like(x[:, :1])], dim=1),
            order.where(token < length[:, None], padding),
            length,
        )

    def with_words(self, words: Words, rows: Bool[Tensor, " row"], where: Float[Tensor, " row"]) -> "_Text":
        """The texts with words put into some of them; ``where`` is the share of a text that precedes them."""
        num_tokens, first = self.order.shape[1], self.words.shape[1]
        begin = (where * (self.length + 1)).long().clamp_max(max(0, num_tokens - len(words)))[:, None]
        token = torch.arange(num_tokens, device=begin.device)[None]
        behind = self.order.gather(1, (token - len(words)).clamp_min(0).expand_as(self.order))
        changed = torch.where(
            token < begin, self.order, torch.where(token < begin + len(words), first + token - begin, behind)
        )
        return _Text(
            torch.cat([self.words, words.expand(len(self.words), *words.shape)], dim=1),
            torch.where(rows[:, None], changed, self.order),
            (self.length + len(words) * rows).clamp_max(num_tokens),
        )

    def read(self) -> Float[Tensor, " row token dimension"]:
        return self.words[torch.arange(len(self.words), device=self.words.device)[:, None], self.order]


def without_places(x: Float[Tensor, " row token dimension"], is_gone: Bool[Tensor, " row token"]) -> Tensor:
    """The texts without these words; the others close the gaps."""
    return _Text.of(x, is_gone).read()


def with_words(x: Tensor, words: Words, rows: Bool[Tensor, " row"], where: Float[Tensor, " row"]) -> Tensor:
    """The texts with the words put into some of them; ``where`` is the share of a text that precedes them."""
    return (
        _Text.of(x, torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)).with_words(words, rows, where).read()
    )


def occurrences(x: Float[Tensor, " row token dimension"], phrase: Words) -> Bool[Tensor, " row token"]:
    """True on each word of every occurrence of the phrase: these words in this order, side by side."""
    found = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
    num_starts = x.shape[1] - len(phrase) + 1
    if num_starts < 1:
        return found
    is_word = [(x[:, k : k + num_starts] == word).all(dim=2) for k, word in enumerate(phrase)]
    begins = torch.stack(is_word).all(dim=0)
    for k in range(len(phrase)):
        found[:, k : k + num_starts] |= begins
    return found
