"""Texts kept in ``<folder>/train.csv`` and ``<folder>/<split>.csv``, as rows of word vectors."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from corrigible.data.arrays import numbers as numbers_in
from corrigible.data.class_order import in_order
from corrigible.data.csv_cells import table_text, texts_as_written
from corrigible.data.dataset import TensorData
from corrigible.data.table_columns import codes_of
from corrigible.data.tokens import Tokens
from corrigible.data.vocabulary import (
    Vocabulary,
    embedded,
    ids_of,
    read_vocabulary,
    vocabulary_of,
    write_vocabulary,
)
from corrigible.errors import DataError, RecipeError
from corrigible.printable import plural

VOCABULARY_FILE = "vocabulary.safetensors"
USUAL_TOKENS = 64
MOST_TOKENS, MOST_NUMBERS, MOST_IN_ALL = 4096, 4096, 2**31
"""Most tokens of a text, most numbers of a word's vector, and most numbers of all rows, which are kept in memory."""


def load_text(
    folder: Path,
    split: str,
    *,
    text: str = "text",
    label: str = "label",
    max_tokens: int = USUAL_TOKENS,
    dimension: int = 64,
) -> TensorData:
    """The texts of ``<folder>/<split>.csv`` as (row, token, dimension), with the words beside them.

    The words and their vectors are learned once from ``<folder>/train.csv`` and kept in
    ``<folder>/vocabulary.safetensors``. If you put such a file there with vectors of your own, these are used.

    Args:
        text: name of the column with the texts.
        label: name of the column with the classes.
        max_tokens: words that are read of each text; shorter texts are padded with zeros.
        dimension: numbers per word, for vectors that are learned.

    Raises:
        DataError: a file that is missing or not a table, a missing or empty label, a class that ``train.csv`` lacks, or
            a vocabulary that was learned from other texts.
        RecipeError: a number out of range.
    """
    for name, number, least, most in (
        ("max_tokens", max_tokens, 1, MOST_TOKENS),
        ("dimension", dimension, 2, MOST_NUMBERS),
    ):
        if not least <= number <= most:
            raise RecipeError(f"[data]: {name} is {number}; expected {least} to {most}")
    training = _columns(folder / "train.csv", text, label)
    rows = training if split == "train" else _columns(folder / f"{split}.csv", text, label)
    class_names = in_order(training[label])
    y = codes_of(rows[label], class_names, label)
    vocabulary = _kept_vocabulary(folder / VOCABULARY_FILE, training[text], dimension)
    return text_data(rows[text], y, vocabulary, max_tokens=max_tokens, class_names=class_names)


def text_data(
    texts: Any,
    labels: Any,
    like: TensorData | Vocabulary | None = None,
    *,
    max_tokens: int | None = None,
    class_names: tuple[str, ...] = (),
) -> TensorData:
    """The texts as rows of word vectors, (row, token, dimension), padded with zeros, with the words beside them.

    Args:
        texts: a list or column of texts.
        labels: names of classes, which are put in order, or class numbers.
        like: the training rows, whose words, vectors, length and classes these rows share; or a vocabulary. None learns
            the vocabulary from these texts.
        max_tokens: words that are read of each text; None for those of ``like``, or 64.
        class_names: names of the classes where the labels are numbers; empty for those of ``like``.

    Raises:
        DataError: no texts, something other than texts, another number of labels, a label that ``like`` lacks, or too
            many numbers for the memory.
    """
    texts = _as_texts(texts)
    vocabulary = like if isinstance(like, Vocabulary) else vocabulary_of(texts) if like is None else _vocabulary(like)
    if max_tokens is None:
        max_tokens = like.x.shape[1] if isinstance(like, TensorData) else USUAL_TOKENS
    known = like.class_names if isinstance(like, TensorData) else class_names
    y, class_names = _numbered(labels, class_names or known, is_known=isinstance(like, TensorData))
    if len(y) != len(texts):
        raise DataError(f"{plural(len(texts), 'text')} and {plural(len(y), 'label')}; expected one label per text")
    numbers = len(texts) * max_tokens * vocabulary.vectors.shape[1]
    if numbers > MOST_IN_ALL:
        raise DataError(
            f"{len(texts):,} texts of {max_tokens:,} tokens of {vocabulary.vectors.shape[1]:,} numbers are {numbers:,} "
            f"numbers; expected at most {MOST_IN_ALL:,}: a smaller max_tokens or dimension"
        )
    ids = ids_of(texts, vocabulary, max_tokens)
    tokens = Tokens(ids, vocabulary.words, vocabulary.vectors)
    return TensorData(embedded(ids, vocabulary.vectors), y, class_names=class_names, tokens=tokens)


def _as_texts(texts: Any) -> list[str]:
    """The texts as a list; DataError for anything else."""
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise DataError(f"texts is a {type(texts).__name__}; expected a list of texts")
    found = list(texts)
    for row, text in enumerate(found):
        if not isinstance(text, str):
            raise DataError(f"text {row} is {text!r}, a {type(text).__name__}; expected texts: leave it out, or ''")
    return found


def _vocabulary(data: TensorData) -> Vocabulary:
    """The vocabulary inside the rows; DataError if there is none."""
    if data.tokens is None or data.tokens.vectors is None:
        raise DataError("the rows that are to be like hold no vocabulary; expected rows that text_data made")
    return Vocabulary(data.tokens.words, data.tokens.vectors)


def _numbered(labels: Any, names: tuple[str, ...], *, is_known: bool) -> tuple[Tensor, tuple[str, ...]]:
    """The class numbers of labels that are names or numbers, and the names; unknown names are a DataError."""
    found = labels if isinstance(labels, Tensor) else list(labels)
    if isinstance(found, Tensor) or not all(isinstance(label, str) for label in found):
        return numbers_in(found, "y"), names
    names = names if names or is_known else in_order(found)
    for row, label in enumerate(found):
        if label not in names:
            known = ", ".join(names[:20]) or "numbers only"
            raise DataError(f"label {label!r} of row {row}; expected one of the training rows': {known}")
    places = {name: place for place, name in enumerate(names)}
    return torch.tensor([places[label] for label in found], dtype=torch.long), names


def _columns(path: Path, text: str, label: str) -> dict[str, list[str]]:
    """The columns of texts and labels, with every cell as it is written."""
    with table_text(path) as source:
        names = source.layout.names
        for name in (text, label):
            if name not in names:
                raise DataError(f"{path} has no column {name!r}; it has {', '.join(names)}")
        columns = texts_as_written(source, (text, label))
    if not columns[label]:
        raise DataError(f"{path} has no rows; expected at least one")
    empty = [row for row, found in enumerate(columns[label]) if not found.strip()]
    if empty:
        found = f"row {empty[0]} has no {label!r} ({len(empty)} such rows)"
        raise DataError(f"{path}: {found}; expected a class in every row")
    return columns


def _kept_vocabulary(path: Path, texts: list[str], dimension: int) -> Vocabulary:
    """The vocabulary in the file; if there is no file, one learned from the training texts and written to it."""
    source = _hash(texts, dimension)
    if not path.exists():
        learned = vocabulary_of(texts, dimension=dimension)
        write_vocabulary(path, learned, learned_from=source)
        return learned
    kept, learned_from = read_vocabulary(path)
    if learned_from and learned_from != source:
        raise DataError(
            f"{path} was learned from other training texts, or with another dimension; put those back, or delete the "
            "file to learn new ones: models that were trained before do not fit the new vectors"
        )
    return kept


def _hash(texts: list[str], dimension: int) -> str:
    found = hashlib.sha256(f"1 {dimension} {len(texts)}".encode())
    for text in texts:
        found.update(hashlib.sha256(text.encode()).digest())
    return found.hexdigest()
