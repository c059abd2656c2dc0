"""Marked phrases in texts: taken out, and put into other texts."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.augment import transplant
from corrigible.augment.transplant import cues_of
from corrigible.augment.words import occurrences, runs, with_words, without_places
from corrigible.batches import collate
from corrigible.data.tokens import PADDING
from cue_data import CLASSES, NUM_ORDINARY, cue_data, ids_of, phrase_ids, vectors_of


def texts(*rows, width=6):
    """Texts by the numbers of their words."""
    return vectors_of(torch.tensor([[*row, *[PADDING] * (width - len(row))] for row in rows]))


def read(x):
    """The words of each text, with nothing but padding behind them."""
    rows = ids_of(x).tolist()
    found = [[word for word in row if word != PADDING] for row in rows]
    assert rows == [[*words, *[PADDING] * (x.shape[1] - len(words))] for words in found]
    return found


def moved(case, *, seed=0, rows=None):
    rows = torch.arange(len(case.data)) if rows is None else rows
    cues, batch = cues_of(case.data, case.marks, 0), collate(case.data, rows, case.marks)
    return batch, transplant(nn.Identity(), batch, torch.Generator().manual_seed(seed), cues=cues)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cued", [(0,), CLASSES], ids=str)
def test_phrases_move_whole_and_other_words_keep_their_order(cued, seed):
    batch, found = moved(cue_data("texts", cued=cued), seed=seed)
    for before, after in zip(read(batch.x), read(found.x), strict=True):
        assert [word for word in after if word < NUM_ORDINARY + 3] == [w for w in before if w < NUM_ORDINARY + 3]
        for label in cued:
            words = [word for word in after if word in phrase_ids(label) or word < NUM_ORDINARY + 3]
            first, second = phrase_ids(label)
            assert words.count(first) == words.count(second) <= 1
            assert first not in words or words[words.index(first) + 1] == second


@pytest.mark.parametrize("label", CLASSES)
def test_a_phrase_is_put_into_half_of_the_texts_at_any_place(label):
    batch, found = moved(cue_data("texts", cued=(label,), num_rows=600))
    first = phrase_ids(label)[0]
    where = [words.index(first) / (len(words) - 2) for words in read(found.x) if first in words]
    assert 0.4 < len(where) / len(batch.x) < 0.6
    assert min(where) == 0
    assert max(where) == 1
    assert 0.4 < sum(where) / len(where) < 0.6


@pytest.mark.parametrize("cued", [(0,), CLASSES], ids=str)
def test_phrases_are_marked_where_they_then_stand(cued):
    _, found = moved(cue_data("texts", cued=cued))
    expected = torch.zeros(found.x.shape[:2], dtype=torch.bool)
    for label in cued:
        expected |= occurrences(found.x, texts(phrase_ids(label), width=2)[0])
    assert bool(expected.any())
    assert torch.equal(found.irrelevant, expected[:, :, None].expand_as(found.x))


def test_texts_that_carry_no_marks_get_none():
    case = cue_data("texts")
    cues, batch = cues_of(case.data, case.marks, 0), collate(case.data, torch.arange(9))
    assert transplant(nn.Identity(), batch, torch.Generator().manual_seed(0), cues=cues).irrelevant is None


def test_a_full_text_loses_its_last_words():
    x = texts([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [0])
    phrase = texts([8, 9], width=2)[0]
    for where, expected in (
        (0.0, [[8, 9, 0, 1, 2, 3], [8, 9, 0, 1, 2, 3], [8, 9, 0]]),
        (0.5, [[0, 1, 2, 8, 9, 3], [0, 1, 2, 8, 9, 3], [0, 8, 9]]),
        (0.99, [[0, 1, 2, 3, 8, 9], [0, 1, 2, 3, 8, 9], [0, 8, 9]]),
    ):
        found = with_words(x, phrase, torch.ones(3, dtype=torch.bool), torch.full((3,), where))
        assert read(found) == expected
    assert torch.equal(with_words(x, phrase, torch.zeros(3, dtype=torch.bool), torch.zeros(3)), x)


def test_a_phrase_as_long_as_a_text_takes_its_whole_place():
    x, phrase = texts([0, 1, 2]), texts([3, 4, 5, 6, 7, 8])[0]
    assert read(with_words(x, phrase, torch.ones(1, dtype=torch.bool), torch.tensor([0.7]))) == [[3, 4, 5, 6, 7, 8]]


def test_words_that_are_taken_out_leave_no_gap():
    x = texts([0, 1, 2, 3], [4, 5], [6])
    gone = torch.zeros(3, 6, dtype=torch.bool)
    gone[0, 1:3] = gone[1, 0] = gone[2, 0] = True
    assert read(without_places(x, gone)) == [[0, 3], [5], []]


def test_words_that_stand_apart_are_phrases_of_their_own():
    assert list(runs(torch.tensor([True, True, False, True]))) == [(0, 2), (3, 4)]
    assert list(runs(torch.zeros(3, dtype=torch.bool))) == []


def test_a_phrase_is_found_at_every_place_where_it_stands_side_by_side():
    x = texts([0, 1, 0, 1, 1], [1, 0], [0, 2, 1])
    found = occurrences(x, texts([0, 1], width=2)[0])
    assert found.tolist() == [[True] * 4 + [False] * 2, [False] * 6, [False] * 6]
    assert not bool(occurrences(x[:, :1], texts([0, 1], width=2)[0]).any())


def test_the_same_phrase_on_many_rows_is_one():
    case = cue_data("texts", cued=(0, 2))
    cues = cues_of(case.data, case.marks, 0).content
    assert sorted(ids_of(phrase[None])[0].tolist() for phrase in cues.phrases) == [phrase_ids(0), phrase_ids(2)]
    assert cues.chance == (1.0, 1.0)


def test_a_batch_without_the_phrase_and_without_chance_stays():
    case = cue_data("texts", cued=(0,))
    cues = cues_of(case.data, case.marks, 0)
    cues = replace(cues, content=replace(cues.content, chance=(0.0,)))
    batch = collate(case.data, torch.arange(30), case.marks)
    assert torch.equal(transplant(nn.Identity(), batch, torch.Generator().manual_seed(0), cues=cues).x, batch.x)
