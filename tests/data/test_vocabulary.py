"""Words and their vectors: learned from texts alone, told apart, kept in a file."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from corrigible.data.vocabulary import (
    UNKNOWN,
    Vocabulary,
    embedded,
    ids_of,
    read_vocabulary,
    vocabulary_of,
    write_vocabulary,
)
from corrigible.errors import DataError

TEXTS = ["red apple tastes sweet", "green apple tastes sour", "red car drives fast", "green car drives slow"] * 3


def test_the_same_texts_give_the_same_vectors_of_length_one():
    first, second = vocabulary_of(TEXTS, dimension=8), vocabulary_of(TEXTS, dimension=8)
    assert first.words == second.words and torch.equal(first.vectors, second.vectors)
    torch.testing.assert_close(first.vectors.norm(dim=1), torch.ones(len(first.words)))
    assert not torch.equal(first.vectors, vocabulary_of(TEXTS, dimension=8, seed=1).vectors)


def test_the_most_frequent_words_come_first_and_rare_ones_are_unknown():
    found = vocabulary_of(["b b b a a", "a c"], dimension=4)
    assert found.words == (UNKNOWN, "a", "b")
    assert vocabulary_of(["b b b b a a", "a c"], dimension=4, most_words=1).words == (UNKNOWN, "b")
    assert vocabulary_of(["a c"], dimension=4, least_count=1).words == (UNKNOWN, "a", "c")


def test_words_of_the_same_company_are_near_and_still_told_apart():
    texts = [f"the {animal} {verb} there" for animal in ("cat", "dog") for verb in ("sat", "ran", "slept")]
    texts += [f"some {metal} was {verb} in" for metal in ("iron", "zinc") for verb in ("mined", "sold", "cast")]
    found = vocabulary_of(texts * 2, dimension=64)
    cat, dog, iron = (found.vectors[found.words.index(word)] for word in ("cat", "dog", "iron"))
    assert cat @ dog > 0.3 > cat @ iron
    alike = found.vectors @ found.vectors.T
    assert (alike - torch.eye(len(alike))).max() < 0.95


@pytest.mark.parametrize("texts", [["a"], [""], ["a a"], ["a b"]])
def test_a_few_words_have_vectors_too(texts):
    assert vocabulary_of(texts, dimension=6, least_count=1).vectors.shape[1] == 6


def test_vectors_stand_where_the_words_do_and_zeros_after_them():
    vocabulary = Vocabulary((UNKNOWN, "a", "b"), torch.tensor([[9.0, 9.0], [1.0, 2.0], [3.0, 4.0]]))
    ids = ids_of(["B a", "", "a x a b"], vocabulary, 3)
    assert ids.tolist() == [[2, 1, -1], [-1, -1, -1], [1, 0, 1]]
    expected = [[[3, 4], [1, 2], [0, 0]], [[0, 0]] * 3, [[1, 2], [9, 9], [1, 2]]]
    assert embedded(ids, vocabulary.vectors).tolist() == expected


def test_a_kept_vocabulary_comes_back_as_it_was(tmp_path):
    path, vocabulary = tmp_path / "v.safetensors", vocabulary_of([*TEXTS, "größe größe"], dimension=8)
    write_vocabulary(path, vocabulary, learned_from="here")
    found, learned_from = read_vocabulary(path)
    assert found.words == vocabulary.words and torch.equal(found.vectors, vocabulary.vectors)
    assert learned_from == "here"


@pytest.mark.parametrize(
    ("words", "vectors", "message"),
    [
        (("a",), torch.ones(2, 3), r"1 words and vectors of shape \(2, 3\)"),
        ((UNKNOWN, "a", "a"), torch.ones(3, 2), "the word 'a' has 2 vectors"),
        (("a",), torch.ones(1, 2), "no vector for '.unknown.'"),
        ((UNKNOWN, "a"), torch.tensor([[1.0], [0.0]]), "the vector of 'a' is zero, which stands for padding"),
        ((UNKNOWN, "a"), torch.tensor([[1.0], [np.nan]]), "the vector of 'a' is .*not finite"),
        ((UNKNOWN,), torch.ones(1, 0), "expected one per word"),
    ],
)
def test_words_and_vectors_that_do_not_fit_are_refused(words, vectors, message):
    with pytest.raises(DataError, match=message):
        Vocabulary(words, vectors)


def test_a_file_that_is_something_else_is_refused_in_one_line(tmp_path):
    path = tmp_path / "v.safetensors"
    for words in (None, "nothing", '{"a": 1}', "[1]", '["a"]', "[" * 100_000):
        save_file({"vectors": torch.ones(2, 3)}, path, None if words is None else {"words": words})
        with pytest.raises(DataError, match="v.safetensors") as refused:
            read_vocabulary(path)
        assert "\n" not in str(refused.value)
    for content in (b"", b"\x00" * 30, b"word2vec 1 2"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is not a vocabulary.*delete it"):
            read_vocabulary(path)


def test_no_texts_or_one_number_are_refused():
    with pytest.raises(DataError, match="0 texts"):
        vocabulary_of([])
    with pytest.raises(DataError, match="dimension 1"):
        vocabulary_of(["a"], dimension=1)
