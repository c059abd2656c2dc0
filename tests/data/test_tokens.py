"""Words and where they stand."""

import pytest
import torch

from corrigible.data.tokens import PADDING, Tokens, occurrences, tokenize

WORDS = ("a", "b", "c")


def tokens(*rows):
    width = max(map(len, rows))
    return Tokens(torch.tensor([[*map(WORDS.index, row), *[PADDING] * (width - len(row))] for row in rows]), WORDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The film, it's GOOD!", ["the", "film", ",", "it's", "good", "!"]),
        ("#tag @me 3.5 a_b", ["#", "tag", "@", "me", "3", ".", "5", "a", "b"]),
        ("Größe don’t 'quoted'", ["größe", "don’t", "'", "quoted", "'"]),
        (" \n\t_", []),
        ("[unknown]", ["[", "unknown", "]"]),
    ],
)
def test_words_are_in_lower_case_and_marks_stand_by_themselves(text, expected):
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("phrase", "places"),
    [
        ("a", [[0, 3], [1, 2]]),
        ("ab", [[0, 1], [2, 3]]),
        ("aa", [[], [1, 2]]),
        ("ba", [[], [0, 1]]),
        ("abc", [[0, 1, 2], []]),
        ("abcab", [[], []]),
        ("", [[], []]),
    ],
)
def test_a_phrase_is_marked_wherever_its_words_stand_side_by_side(phrase, places):
    found = occurrences(tokens("abca", "baab"), tuple(phrase))
    assert [row.nonzero().flatten().tolist() for row in found] == places


def test_overlapping_places_are_all_marked_and_padding_is_no_word():
    assert occurrences(tokens("aaac", "a"), ("a", "a")).tolist() == [[True, True, True, False], [False] * 4]


def test_rows_keep_their_words():
    taken = tokens("abca", "ba").of(torch.tensor([1, 0, 1]))
    assert [taken.row(row) for row in range(3)] == [("b", "a"), ("a", "b", "c", "a"), ("b", "a")]


def test_an_unknown_word_is_a_key_error():
    with pytest.raises(KeyError):
        occurrences(tokens("ab"), ("z",))
