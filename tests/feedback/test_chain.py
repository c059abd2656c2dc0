"""Nothing that was said can be changed without a word, and whoever reads needs nobody's leave."""

import resource
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from corrigible.errors import StudyError
from corrigible.feedback import database
from corrigible.feedback.store import FeedbackStore
from corrigible.types import Features, Feedback, Pixels

SITE = Feedback(Features(("site",)), scope="dataset", author="Ada", note="wage", at=datetime(2026, 1, 31, tzinfo=UTC))
CORNER = Feedback(Pixels(np.eye(4, dtype=bool)), polarity="relevant", row=7, at=SITE.at)


@pytest.fixture
def path(tmp_path):
    with FeedbackStore(tmp_path / "feedback.sqlite") as store:
        store.add_all([SITE, CORNER, replace(SITE, label=1, scope="class")])
        store.retract(1, author="Bob", note="not so")
    return tmp_path / "feedback.sqlite"


def records(path):
    with FeedbackStore(path) as store:
        return store.records()


def records_or_refusal(path):
    try:
        return records(path)
    except StudyError as error:
        return str(error)


def as_version_2(path):
    """A store as it was before it had a chain, with two entries."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in (*database.MIGRATIONS[0], *database.MIGRATIONS[1]):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
        for number, name in enumerate(["site", "age"], start=1):
            connection.execute("INSERT INTO event VALUES (?, '2026-01-31T00:00:00+00:00', 'Ada', '')", (number,))
            row = (number, "irrelevant", "train", "dataset", f'["{name}"]')
            connection.execute("INSERT INTO feedback VALUES (?, ?, NULL, ?, ?, NULL, NULL, ?, NULL)", row)


def test_no_flipped_bit_changes_what_people_said(path):
    whole, expected, found = path.read_bytes(), records(path), 0
    places = np.random.default_rng(0).choice(np.flatnonzero(np.frombuffer(whole, np.uint8)), 120, replace=False)
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        answer = records_or_refusal(path)
        assert answer == expected or (isinstance(answer, str) and "\n" not in answer), place
        found += isinstance(answer, str)
    assert found > len(places) / 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET note = 'wafe' WHERE number = 1",
        "UPDATE event SET author = 'Eve' WHERE number = 4",
        "UPDATE event SET at = '2026-02-01T00:00:00.000000+00:00' WHERE number = 2",
        "UPDATE feedback SET polarity = 'irrelevant' WHERE number = 2",
        'UPDATE feedback SET "row" = 8 WHERE number = 2',
        "UPDATE feedback SET features = '[\"age\"]' WHERE number = 3",
        "UPDATE retraction SET feedback = 3",
        "UPDATE chain SET run = '0009-train'",
        "UPDATE chain SET sha256 = hex(zeroblob(32)) WHERE number = 4",
    ],
)
def test_a_change_by_force_is_named(path, change):
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(change)
        for _, made in triggers:
            connection.execute(made)
    with pytest.raises(StudyError, match=r"is damaged \(change \d is not what was stored\); restore a copy"):
        records(path)


def test_a_store_without_its_protection_is_damaged(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER event_update")
    with pytest.raises(StudyError, match="its tables are not those of a feedback store"):
        records(path)


def test_a_hash_covers_everything_up_to_it_and_nothing_later(path):
    with FeedbackStore(path) as store:
        before = [store.hash_at(revision) for revision in range(5)]
        store.add(SITE)
        assert [store.hash_at(revision) for revision in range(5)] == before
        assert len({*before, store.hash_at(5)}) == 6
        with pytest.raises(StudyError, match="revisions 0 to 5, not 6"):
            store.hash_at(6)
    assert before[0] == ""


def test_another_first_statement_gives_other_hashes(tmp_path):
    found = []
    for name in ("a", "b"):
        with FeedbackStore(tmp_path / name) as store:
            store.add_all([replace(SITE, note=name), SITE])
            found.append(store.hash_at(2))
    assert len(set(found)) == 2


def test_the_latest_run_is_noted_with_each_change(tmp_path):
    for run in ("", "0001-train 00ff"):
        with FeedbackStore(tmp_path / "a", run=run) as store:
            store.add(SITE)
    with FeedbackStore(tmp_path / "a") as store:
        assert store.runs() == ["", "0001-train 00ff"]


def test_an_older_store_is_read_as_it_is_and_chained_when_something_is_stored(tmp_path):
    path = tmp_path / "feedback.sqlite"
    as_version_2(path)
    before = path.read_bytes()
    with FeedbackStore(path) as store:
        assert [said.region.names for _, said in store.active()] == [("site",), ("age",)]
        hashes = [store.hash_at(1), store.hash_at(2)]
    assert path.read_bytes() == before
    with FeedbackStore(path) as store:
        assert store.add(SITE) == 3
        assert [store.hash_at(1), store.hash_at(2)] == hashes
    assert len(records(path)) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["feedback.sqlite"]


@contextmanager
def nothing_written():
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)


@pytest.mark.parametrize("make", [None, as_version_2])
def test_reading_needs_no_space_and_leaves_no_file(tmp_path, make):
    path = tmp_path / "feedback.sqlite"
    if make:
        make(path)
    else:
        with FeedbackStore(path) as store:
            store.add_all([SITE, CORNER])
    with nothing_written():
        assert len(records(path)) == 2
    assert make or [file.name for file in tmp_path.iterdir()] == ["feedback.sqlite"]


def test_a_store_that_is_not_there_is_empty_and_not_made_by_reading(tmp_path):
    with FeedbackStore(tmp_path / "feedback.sqlite") as store:
        assert (store.revision, store.hash_at(0), store.records()) == (0, "", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_reading_does_not_wait_for_who_writes(path, monkeypatch, lock):
    monkeypatch.setattr(database, "LOCKED_SECONDS", 0.01)
    expected = records(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(lock)
        other.execute("INSERT INTO event VALUES (9, '', '', '')")
        assert records(path) == expected


def test_a_statement_is_stored_once_however_often_it_is_imported(path):
    undated = replace(SITE, at=None)
    other = [replace(SITE, author="Eve"), replace(SITE, at=datetime(2027, 1, 1, tzinfo=UTC)), replace(CORNER, row=8)]
    with FeedbackStore(path) as store:
        assert store.add_new([SITE, undated, CORNER]) == []
        assert store.add_new([*other, *other, replace(undated, note="new"), replace(undated, note="new")]) == [
            5,
            6,
            7,
            8,
        ]
        assert store.add_new([*other, replace(undated, note="new")]) == []
        assert store.revision == 8
