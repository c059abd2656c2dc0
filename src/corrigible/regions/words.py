"""Suspect words of texts: words that the model relies on and whose presence anywhere predicts the label."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import rows_of, strata_of, task_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.swapping import draw_donors
from corrigible.data.tokens import PADDING
from corrigible.data.vocabulary import UNKNOWN
from corrigible.models.forward import Score
from corrigible.regions.effects import change_of, marked_effects, predicted
from corrigible.regions.region_test import compared_with_others
from corrigible.regions.suspect_ranking import SURELY, Suspect, class_of_rows, ranking_of
from corrigible.types import Phrase

MOST_WORDS = 200
"""Most words that are looked at: those whose presence best predicts the label."""
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

    Candidates are words that at least two of the drawn rows hold. The effect of a word on a row that holds it is how
    much the prediction changes when other rows' words stand in its places (`region_effects`).

    Raises:
        RecipeError: no score has that name.
    """
    tokens, y, task = tokens_of(dataset), strata_of(dataset), task_of(dataset)
    change_of(score, task)  # An unknown score is refused even where there is no word to look at.
    assert tokens is not None
    index = draw_donors(len(dataset), num_rows, seed)
    rows = rows_of(dataset, index)
    assert rows.tokens is not None
    ids = rows.tokens.ids.cpu()
    tells = agreement_of_words(tokens.ids.cpu(), y)[:, y[index]].T
    held = presence(ids, tells.shape[1])
    words = _most_agreeing(held, tells, tokens.words)
    if not len(words):
        return []
    target = predicted(model, rows.x, task, score, seed=seed)
    donors = rows_of(dataset, draw_donors(len(dataset), num_donors, seed + 1)).x
    place, row = held[:, words].T.nonzero(as_tuple=True)
    marks = ids[row] == words[place, None]
    found = marked_effects(model, rows.x, target, row, marks, donors, score=score, task=task, seed=seed).double()
    effects = torch.zeros(len(words), len(index), dtype=torch.double).index_put((place, row), found)
    means = effects.sum(dim=1) / held[:, words].sum(dim=0)
    suspects = []
    for number, word in enumerate(words.tolist()):
        holders = held[:, word]
        others = torch.cat([means[:number], means[number + 1 :]]).expand(int(holders.sum()), -1)
        told = ranking_of(effects[number], tells[:, word] * holders, class_of_rows(task, y[index]), index)
        test = compared_with_others(effects[number][holders], others, seed=seed)
        suspects.append(Suspect(region=Phrase((tokens.words[word],)), test=test, size=1, **told))
    ranked = sorted(suspects, key=lambda suspect: -suspect.score)
    return [suspect for suspect in ranked if suspect.score > 0][:most]


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
