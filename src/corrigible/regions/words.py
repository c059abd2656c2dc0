"""Suspect words of texts: words that the model relies on and whose presence anywhere predicts the label.

Words that nearly always stand side by side are one phrase.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import rows_of, strata_of, task_of
from corrigible.data.protocol import Dataset, class_names_of, tokens_of
from corrigible.data.swapping import draw_donors
from corrigible.data.tokens import PADDING, Tokens, occurrences
from corrigible.data.vocabulary import UNKNOWN
from corrigible.models.forward import Score
from corrigible.progress import begun
from corrigible.regions.effects import change_of, marked_effects, predicted
from corrigible.regions.region_test import compared_with_others
from corrigible.regions.suspect_ranking import SURELY, Suspect, is_relied_on, ranking_of
from corrigible.types import Features, Phrase, Pixels

MOST_WORDS = 200
"""Most words that are looked at: those whose presence best predicts the label."""
TOGETHER = 0.9
"""Share of the places of each of two words at which they stand side by side, from which they are one phrase."""
NUM_DOUBTED = 5
"""Number of imaginary further rows that hold each word, with labels by chance, so that rare words tell less surely."""


def word_suspects(
    model: nn.Module,
    dataset: Dataset,
    *,
    score: str | Score | None,
    num_rows: int,
    num_donors: int,
    most: int,
    seed: int,
) -> list[Suspect]:
    """Words that the model may rely on by mistake, the most suspected first.

    Candidates are words that at least two of the drawn rows hold, and phrases: words that nearly always stand side by
    side. The effect of a phrase on a row that holds it is how much the prediction changes when other rows' words stand
    in its places (`region_effects`). Punctuation marks that belong to no phrase come last.

    Raises:
        RecipeError: no score has that name.
    """
    tokens, y, task = tokens_of(dataset), strata_of(dataset), task_of(dataset)
    change_of(score, task)  # An unknown score is refused even where there is no word to look at.
    assert tokens
    begun("how well words tell the label")
    index = draw_donors(len(dataset), num_rows, seed)
    rows = rows_of(dataset, index)
    assert rows.tokens is not None
    ids = rows.tokens.ids.cpu()
    tells = agreement_of_words(tokens.ids.cpu(), y)[:, y[index]].T
    phrases = _phrases(_most_agreeing(presence(ids, tells.shape[1]), tells, tokens.words), ids)
    if not phrases:
        return []
    marked = torch.stack([_marks(phrase, rows.tokens) for phrase in phrases])
    target = predicted(model, rows.x, task, score, seed=seed)
    donors = rows_of(dataset, draw_donors(len(dataset), num_donors, seed + 1)).x
    has = marked.any(dim=2)
    place, row = has.nonzero(as_tuple=True)
    marks = marked[place, row][:, :, None]
    found = marked_effects(model, rows.x, target, row, marks, donors, score=score, task=task, seed=seed)
    effects = torch.zeros(has.shape, dtype=torch.double).index_put((place, row), found.double())
    means = effects.sum(dim=1) / has.sum(dim=1)
    about: dict[str, Any] = {"are_classes": task.logits is not None, "class_names": class_names_of(dataset)}
    suspects = []
    for number, phrase in enumerate(phrases):
        others = torch.cat([means[:number], means[number + 1 :]]).expand(int(has[number].sum()), -1)
        tell = (tells[:, list(phrase)] * has[number, :, None]).amax(dim=1)
        told = ranking_of(effects[number], tell, y[index], index, **about)
        told["test"] = compared_with_others(effects[number][has[number]], others, seed=seed)
        suspects.append(Suspect(Phrase(tuple(tokens.words[k] for k in phrase)), size=len(phrase), **told))
    return _ranked(suspects, float(means.max()))[:most]


def _ranked(suspects: list[Suspect], largest: float) -> list[Suspect]:
    """The suspects on which the model relies, the most suspected first, and bare punctuation last."""
    relied_on = [found for found in suspects if found.score > 0 and is_relied_on(found.test, largest)]
    return sorted(relied_on, key=lambda found: (_is_punctuation(found.region), -found.score))


def _marks(phrase: Sequence[int], tokens: Tokens) -> Bool[Tensor, " row token"]:
    return occurrences(tokens, [tokens.words[word] for word in phrase]).cpu()


def _is_punctuation(region: Pixels | Features | Phrase) -> bool:
    return isinstance(region, Phrase) and not any(map(str.isalnum, "".join(region.words)))


def _phrases(words: Int[Tensor, " looked"], ids: Int[Tensor, " row token"]) -> list[tuple[int, ...]]:
    """The words, joined where they stand side by side nearly wherever either of them stands."""
    follows = words_that_follow(words, ids)
    begins = sorted(set(words.tolist()) - set(follows.values()))
    return [tuple(_chain(word, follows)) for word in begins]


def words_that_follow(words: Int[Tensor, " looked"], ids: Int[Tensor, " row token"]) -> dict[int, int]:
    """The words that have another of them behind them nearly wherever either of the two stands, each with that one."""
    if not len(words):
        return {}
    is_looked = torch.zeros(int(max(words.max(), ids.max())) + 1, dtype=torch.bool).index_fill(0, words, True)
    counts = ids[ids != PADDING].bincount(minlength=len(is_looked)).tolist()
    before, after = ids[:, :-1], ids[:, 1:]
    beside = (before != PADDING) & (after != PADDING) & (before != after)
    beside &= is_looked[before.clamp_min(0)] & is_looked[after.clamp_min(0)]
    pairs, together = torch.stack([before[beside], after[beside]], dim=-1).unique(dim=0, return_counts=True)
    return {
        first: second
        for (first, second), count in zip(pairs.tolist(), together.tolist(), strict=True)
        if count >= TOGETHER * max(counts[first], counts[second])
    }


def _chain(word: int, follows: dict[int, int]) -> Iterator[int]:
    yield word
    while word in follows:
        word = follows[word]
        yield word


def presence(ids: Int[Tensor, " row token"], num_words: int) -> Bool[Tensor, " row word"]:
    """True where the row holds the word anywhere."""
    found = torch.zeros(len(ids), num_words + 1, dtype=torch.bool)
    return found.scatter_(1, ids.where(ids != PADDING, num_words), True)[:, :-1]


def agreement_of_words(ids: Int[Tensor, " row token"], y: Int[Tensor, " row"]) -> Float[Tensor, " word class"]:
    """How much more often rows that hold the word have the class than all rows do.

    1 means always, 0 as often as all rows, and below 0 less often. The row itself is not counted. A few imaginary rows
    that hold the word, with the labels of all rows, make rare words tell less surely. Covers words up to the last
    number that any row holds.
    """
    num_classes = int(y.max()) + 1
    share = y.bincount(minlength=num_classes).double() / len(y)
    ordered = ids.sort(dim=1).values
    is_first = torch.ones_like(ordered, dtype=torch.bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    row, place = (is_first & (ordered != PADDING)).nonzero(as_tuple=True)
    pairs = ordered[row, place] * num_classes + y[row]
    counts = pairs.bincount(minlength=num_classes * (int(ids.max()) + 1)).view(-1, num_classes).double()
    others = counts.sum(dim=1, keepdim=True) - 1 + NUM_DOUBTED
    lift = ((counts - 1 + NUM_DOUBTED * share) / others - share) / (1 - share)
    return torch.where(share < 1, lift, torch.zeros_like(lift))


def _most_agreeing(
    held: Bool[Tensor, " row word"], tells: Float[Tensor, " row word"], words: tuple[str, ...]
) -> Int[Tensor, " looked"]:
    """Numbers of the words that may be suspect and that feedback can name."""
    promise = (held * tells.clamp_min(0) ** SURELY).sum(dim=0)
    promise[held.sum(dim=0) < 2] = 0
    promise[[number for number, word in enumerate(words[: len(promise)]) if word == UNKNOWN]] = 0
    order = promise.argsort(descending=True, stable=True)[:MOST_WORDS]
    return order[promise[order] > 0].sort().values
