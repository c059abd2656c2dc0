"""Texts in comma-separated files: words in every row, classes named, nothing learned but from training."""

from dataclasses import replace

import pytest
import torch

from corrigible.data.dataset import as_dataset, labelled, rows_of
from corrigible.data.decoys import plant_token
from corrigible.data.protocol import tokens_of
from corrigible.data.text import VOCABULARY_FILE, load_text, text_data
from corrigible.data.vocabulary import UNKNOWN, Vocabulary, write_vocabulary
from corrigible.errors import DataError, RecipeError

TRAIN = 'text,label\n"A good, good film.",10\nNA bad film,9\nbad,9\n'
TEST = "text,label,more\na film film new,9,x\n,10,\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.csv").write_text(TRAIN)
    (tmp_path / "test.csv").write_text(TEST)
    return tmp_path


def test_rows_are_word_vectors_and_classes_are_named_in_order(folder):
    data = load_text(folder, "train", max_tokens=6, dimension=4)
    assert data.x.shape == (3, 6, 4) and data.x.dtype == torch.float32
    assert data.class_names == ("9", "10") and data.y.tolist() == [1, 0, 0]
    assert data.tokens.row(0) == (UNKNOWN, "good", UNKNOWN, "good", "film", UNKNOWN)
    assert data.tokens.row(1) == (UNKNOWN, "bad", "film")
    assert not data.x[1, 3:].any() and data.x[1, :3].any(dim=1).all()
    assert torch.equal(data.x[0, 1], data.x[0, 3]) and not torch.equal(data.x[0, 1], data.x[0, 4])


def test_other_splits_have_the_vectors_of_training_and_may_be_empty(folder):
    train, test = (load_text(folder, split, max_tokens=6, dimension=4) for split in ("train", "test"))
    assert test.tokens.words == train.tokens.words
    assert test.tokens.row(0) == (UNKNOWN, "film", "film", UNKNOWN) and test.tokens.row(1) == ()
    assert torch.equal(test.x[0, 1], train.x[0, 4])
    assert test.y.tolist() == [0, 1]


def test_what_was_learned_is_kept_and_guarded(folder):
    before = load_text(folder, "test", dimension=4)
    assert torch.equal(load_text(folder, "test", dimension=4).x, before.x)
    (folder / "train.csv").write_text(TRAIN + "another text,9\n")
    with pytest.raises(DataError, match="was learned from other training texts.*delete the file"):
        load_text(folder, "test", dimension=4)
    (folder / VOCABULARY_FILE).unlink()
    load_text(folder, "test", dimension=4)


def test_given_vectors_are_used_as_they_are(folder):
    given = Vocabulary((UNKNOWN, "film"), torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]]))
    write_vocabulary(folder / VOCABULARY_FILE, given)
    assert load_text(folder, "test", max_tokens=2).x[0].tolist() == [[0, 1, 0], [2, 0, 0]]


@pytest.mark.parametrize("settings", [{"max_tokens": 0}, {"max_tokens": 10**9}, {"dimension": 1}])
def test_numbers_out_of_range_are_refused(settings, folder):
    with pytest.raises(RecipeError, match=next(iter(settings))):
        load_text(folder, "train", **settings)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("", TEST, "train.csv cannot be read"),
        ("text,label\n", TEST, "no rows"),
        ("words,label\na,1\n", TEST, "no column 'text'; it has words, label"),
        ("text,label\na,1\nb,\n", TEST, "row 1 has no 'label'"),
        (TRAIN, "text,label\na,8\n", "holds '8', which the training table lacks"),
        (TRAIN, "text,label\na,9,z\n", "test.csv cannot be read"),
        (TRAIN, None, "there is no file .*test.csv"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_line(train, test, message, tmp_path):
    (tmp_path / "train.csv").write_text(train)
    if test is not None:
        (tmp_path / "test.csv").write_text(test)
    with pytest.raises(DataError, match=message) as refused:
        load_text(tmp_path, "test")
    assert "\n" not in str(refused.value)


def test_words_stay_beside_their_rows(folder):
    data = labelled(as_dataset(load_text(folder, "train")))
    taken = rows_of(data, torch.tensor([2, 0]))
    assert [taken.tokens.row(0), taken.tokens.row(1)] == [data.tokens.row(2), data.tokens.row(0)]

    class Files:
        """A map-style data set with words."""

        tokens = data.tokens

        def __len__(self):
            return len(data)

        def __getitem__(self, row):
            return data[row]

    files = labelled(as_dataset(Files()))
    assert tokens_of(files) is data.tokens
    assert rows_of(files, torch.tensor([1])).tokens.row(0) == data.tokens.row(1)


def test_words_that_do_not_fit_the_rows_are_refused(folder):
    data = load_text(folder, "train")
    with pytest.raises(DataError, match="the words have shape"):
        as_dataset(replace(data, x=data.x[:, :3]))


def test_a_planted_word_tells_the_class_only_where_it_is_informative():
    y = torch.arange(40) % 2
    told = plant_token(["one two"] * 40, y, informative=True, seed=0, words=("zeb", "yak"), place=1)
    assert told == ["one zeb two", "one yak two"] * 20
    drawn = [text.split()[0] for text in plant_token(["one"] * 40, y, informative=False, seed=0, words=("zeb", "yak"))]
    hits = sum(word == ("zeb", "yak")[label] for word, label in zip(drawn, y.tolist(), strict=True))
    assert 10 <= hits <= 30
    assert plant_token(["one"], y[:1], informative=True, seed=0, words=("z", "y"), place=5) == ["one z"]


def test_planting_refuses_classes_without_a_word_and_words_that_are_there():
    with pytest.raises(DataError, match="labels from 0 to 1; expected 0 to 0"):
        plant_token(["a", "b"], torch.tensor([0, 1]), informative=True, seed=0, words=("z",))
    with pytest.raises(DataError, match="text 1 holds 'zeb' already"):
        plant_token(["a", "the Zeb"], torch.tensor([0, 1]), informative=True, seed=0, words=("zeb", "yak"))


def test_texts_in_memory_need_no_files():
    vocabulary = Vocabulary((UNKNOWN, "a"), torch.eye(2))
    data = text_data(["a b"], torch.tensor([1]), vocabulary, max_tokens=3, class_names=("no", "yes"))
    assert data.x.tolist() == [[[0, 1], [1, 0], [0, 0]]] and data.class_names == ("no", "yes")


TEXTS, LABELS = ["a good film", "a bad film", "good", "bad"], ["praise", "blame", "praise", "blame"]


def test_texts_with_named_labels_hold_their_vocabulary():
    data = text_data(TEXTS, LABELS)
    assert data.class_names == ("blame", "praise") and data.y.tolist() == [1, 0, 1, 0]
    assert data.tokens.row(0) == ("a", "good", "film")
    other = text_data(["film new good"], ["praise"], like=data)
    assert other.tokens.row(0) == ("film", UNKNOWN, "good") and other.tokens.words == data.tokens.words
    assert other.x.shape[1:] == data.x.shape[1:] and other.y.tolist() == [1]
    assert torch.equal(other.x[0, 0], data.x[0, 2]) and other.class_names == data.class_names
    assert torch.equal(text_data(TEXTS, torch.tensor([1, 0, 1, 0]), like=data).y, data.y)


@pytest.mark.parametrize(
    ("texts", "labels", "like", "message"),
    [
        ("a good film", ["praise"], "data", "texts is a str; expected a list of texts"),
        (["a", float("nan")], ["praise", "blame"], None, "text 1 is nan, a float; expected texts"),
        (["a", "b"], ["praise"], None, "2 texts and 1 label; expected one label per text"),
        (["a"], ["fair"], "data", "label 'fair' of row 0; expected one of the training rows': blame, praise"),
        (["a"], ["praise"], "bare", "hold no vocabulary; expected rows that text_data made"),
        ([], [], None, "0 texts"),
    ],
)
def test_texts_that_cannot_be_read_are_refused_in_one_line(texts, labels, like, message):
    data = text_data(TEXTS, LABELS)
    given = {"data": data, "bare": replace(data, tokens=replace(data.tokens, vectors=None)), None: None}[like]
    with pytest.raises(DataError, match=message) as refused:
        text_data(texts, labels, given)
    assert "\n" not in str(refused.value)
