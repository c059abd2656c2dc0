"""Answers are stored once, with their feedback or not at all, and no hash of an older store changes."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from corrigible.errors import FeedbackError, StudyError
from corrigible.feedback import database
from corrigible.feedback.answers import KeyUsedError
from corrigible.feedback.chain import append_links
from corrigible.feedback.store import FeedbackStore
from corrigible.said import Answer
from corrigible.types import Features, Feedback, Pixels

AT = datetime(2026, 1, 31, tzinfo=UTC)
MARK = Feedback(Pixels(np.eye(4, dtype=bool)), row=7, author="Ada", at=AT)
ANSWER = Answer(7, "marked", "train", "key-0001", 2.5, "0123", "Ada", AT, "a 'note'; --", ("one", "two"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "feedback.sqlite"


def test_an_answer_comes_back_with_the_ids_of_its_feedback(path):
    with FeedbackStore(path) as store:
        assert store.answer(ANSWER, [MARK, replace(MARK, polarity="relevant")]) == (1, 2)
    with FeedbackStore(path) as store:
        assert store.answers() == [(3, replace(ANSWER, feedback=(1, 2)))]
        assert [number for number, _ in store.active()] == [1, 2]
        assert store.revision == 3


def test_the_same_key_changes_nothing(path):
    with FeedbackStore(path) as store:
        first = store.answer(ANSWER, [MARK])
        for other, said in ((replace(ANSWER, answer="not sure"), [MARK]), (ANSWER, [MARK, MARK]), (ANSWER, [])):
            with pytest.raises(KeyUsedError, match="nothing was stored"):
                store.answer(other, said)
        assert store.revision == 2
    with FeedbackStore(path) as store:
        assert store.answer(ANSWER, [MARK]) == first
        assert len(store.records()) == len(store.answers()) == 1


def test_feedback_that_cannot_be_stored_leaves_no_answer(path):
    with FeedbackStore(path) as store:
        with pytest.raises(FeedbackError, match="split"):
            store.answer(ANSWER, [MARK, replace(MARK, split="")])
        assert store.revision == 0
        assert store.answer(ANSWER, []) == ()


@pytest.mark.parametrize(
    "change",
    [{"row": -1}, {"seconds": -1.0}, {"seconds": float("nan")}, {"split": ""}, {"note": "\ud800"},
     {"key": "k" * 101}, {"row": True}, {"at": datetime(2026, 1, 31)}],
)  # fmt: skip
def test_an_answer_that_is_not_well_formed_is_refused(path, change):
    with FeedbackStore(path) as store:
        with pytest.raises(FeedbackError):
            store.answer(replace(ANSWER, **change))
        assert store.revision == 0


def test_the_version_of_a_row_is_its_last_change(path):
    with FeedbackStore(path) as store:
        assert store.version("train", 7) == 0
        store.add(MARK)
        assert (store.version("train", 7), store.version("train", 8), store.version("test", 7)) == (1, 0, 0)
        store.answer(replace(ANSWER, answer="nothing wrong"))
        assert store.version("train", 7) == 2
        store.retract(1)
        assert store.version("train", 7) == 3
        store.add(replace(MARK, row=8))
        assert store.version("train", 7) == 3


def test_what_is_new_is_read_alone(path):
    with FeedbackStore(path) as store:
        store.add_all([MARK, replace(MARK, row=8)])
        store.retract(1)
        assert [(change.number, change.retracts) for change in store.changes()] == [(1, None), (2, None), (3, 1)]
        assert [change.number for change in store.changes(after=2)] == [3]
        assert [record.id for record in store.records_of([2, 99, 2])] == [2]


@pytest.mark.parametrize("column", ["answer", '"row"', "seconds", "shown", "feedback", "key"])
def test_a_changed_answer_is_noticed(path, column):
    with FeedbackStore(path) as store:
        store.answer(ANSWER, [MARK])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(f"UPDATE answer SET {column} = 9")
        for _, made in triggers:
            connection.execute(made)
    with FeedbackStore(path) as store, pytest.raises(StudyError, match="damaged"):
        store.answers()


@pytest.mark.parametrize(
    "change", ["UPDATE answer SET note = ''", "DELETE FROM answer", "UPDATE answer SET seconds = 0"]
)
def test_answers_are_append_only(path, change):
    with FeedbackStore(path) as store:
        store.answer(ANSWER, [MARK])
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.Error):
        connection.execute(change)


def test_a_store_of_version_3_keeps_its_hashes(path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(database, "MIGRATIONS", database.MIGRATIONS[:3])
        with FeedbackStore(path) as store:
            store.add_all([MARK, Feedback(Features(("site",)), scope="dataset", at=AT)])
            store.retract(2, note="not so")
            before = [store.hash_at(number) for number in range(4)]
    with FeedbackStore(path) as store:  # Reading upgrades nothing.
        assert [store.hash_at(number) for number in range(4)] == before
        assert (store.answers(), store.version("train", 7)) == ([], 0)
        store.answer(ANSWER)
        assert [store.hash_at(number) for number in range(4)] == before
        assert store.version("train", 7) == 4
    with FeedbackStore(path) as store:
        assert store.revision == 4


def test_a_store_that_is_chained_late_has_no_answers(path):
    with FeedbackStore(path) as store:
        store.answer(ANSWER)
    with closing(sqlite3.connect(path)) as connection:
        assert append_links(connection, ["x"]) == []
