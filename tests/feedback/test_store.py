"""The store keeps everything that was said, in order, whoever writes and whatever is refused.

A folder that refuses writing is played by a path below a regular file, and by SQLite told to refuse: file permissions
do not bind a superuser, as whom tests often run.
"""

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corrigible.errors import FeedbackError, StudyError
from corrigible.feedback import database, writing
from corrigible.feedback import store as store_module
from corrigible.feedback.chain import Link
from corrigible.feedback.store import FeedbackStore
from corrigible.feedback.stored import Retraction
from corrigible.types import Features, Feedback, Phrase, Pixels

SITE = Feedback(Features(("site",)), scope="dataset", at=datetime(2026, 1, 31, tzinfo=UTC))
CORNER = np.zeros((3, 5), dtype=bool)
CORNER[:2, 3:] = True
FULL = Feedback(
    Pixels(CORNER),
    polarity="relevant",
    row=7,
    split="validation",
    scope="class",
    label=2,
    fingerprint="0123",
    author="Zoë\0",
    at=datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC),
    note="two\nlines",
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "feedback.sqlite"


def sql(path, statement, *values):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


def force(path, statement, *values):
    """Change what cannot be changed, and leave the tables as they were."""
    triggers = sql(path, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    for name, _ in triggers:
        sql(path, f"DROP TRIGGER {name}")
    sql(path, statement, *values)
    for _, made in triggers:
        sql(path, made)


def test_everything_comes_back_after_closing(path):
    assert all(getattr(FULL, field.name) != field.default for field in fields(Feedback)), "a field is not tried"
    with FeedbackStore(path) as store:
        ids = [store.add(FULL), store.add(SITE)]
    with FeedbackStore(path) as store:
        assert store.active() == list(zip(ids, [FULL, SITE], strict=True))


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (9,), (2, 3, 5), (1, 1)])
@pytest.mark.parametrize("marked", [0.0, 0.5, 1.0])
def test_masks_of_any_shape_come_back(path, shape, marked):
    mask = np.random.default_rng(0).random(shape) < marked
    with FeedbackStore(path) as store:
        store.add(Feedback(Pixels(mask), row=0))
        (_, found) = store.active()[0]
    assert found.region == Pixels(mask)
    assert found.region.mask.dtype == np.bool_


def test_identical_masks_are_stored_once(path):
    with FeedbackStore(path) as store:
        store.add_all([Feedback(Pixels(CORNER.copy()), row=row) for row in range(1000)])
        store.add(Feedback(Pixels(CORNER.reshape(5, 3)), row=0))
        assert len(store.active()) == 1001
    assert sql(path, "SELECT count(*) FROM mask") == [(2,)]
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 300_000


def test_times_are_kept_in_utc_and_set_when_absent(path):
    berlin = timezone(timedelta(hours=2))
    before = datetime.now(UTC)
    with FeedbackStore(path) as store:
        store.add(replace(SITE, at=datetime(2026, 7, 1, 14, tzinfo=berlin)))
        store.add(replace(SITE, at=None))
        first, second = (said.at for _, said in store.active())
    assert first == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert first.utcoffset() == second.utcoffset() == timedelta(0)
    assert before <= second <= datetime.now(UTC)


def test_retracted_feedback_stays_on_record(path):
    with FeedbackStore(path) as store:
        first, second = store.add(SITE), store.add(FULL)
        store.retract(first, author="Ann", note="wrong column")
        assert store.active() == [(second, FULL)]
        gone, kept = store.records()
    assert (gone.id, gone.feedback, kept.id, kept.retraction) == (first, SITE, second, None)
    assert isinstance(gone.retraction, Retraction)
    assert (gone.retraction.number, gone.retraction.author, gone.retraction.note) == (3, "Ann", "wrong column")


@pytest.mark.parametrize("id", [0, -1, 2, 4, 10**30])
def test_retracting_what_is_no_feedback_is_refused(path, id):
    with FeedbackStore(path) as store:
        store.add(SITE)
        store.retract(1)
        store.add(SITE)
        with pytest.raises(FeedbackError, match=f"no feedback has id {id}"):
            store.retract(id)
        assert store.revision == 3


def test_retracting_twice_is_refused(path):
    with FeedbackStore(path) as store:
        store.retract(store.add(SITE))
        with pytest.raises(FeedbackError, match="feedback 1 is retracted already"):
            store.retract(1)
        assert store.revision == 2


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=12))
def test_any_past_revision_can_be_seen_again(tmp_path_factory, changes):
    """0 adds; another number retracts the active feedback at that place, if there is one."""
    expected, snapshots = {}, [{}]
    with FeedbackStore(tmp_path_factory.mktemp("store") / "feedback.sqlite") as store:
        for place in changes:
            if place == 0:
                said = replace(SITE, note=str(len(snapshots)))
                expected[store.add(said)] = said
            elif place <= len(expected):
                number = list(expected)[place - 1]
                store.retract(number)
                del expected[number]
            else:
                continue
            snapshots.append(dict(expected))
        assert store.revision == len(snapshots) - 1
        assert [dict(store.at_revision(number)) for number in range(len(snapshots))] == snapshots
        assert dict(store.active()) == expected
        for unseen in (-1, len(snapshots)):
            with pytest.raises(StudyError, match=f"revisions 0 to {len(snapshots) - 1}, not {unseen}"):
                store.at_revision(unseen)


def changed(**values):
    """FULL with values that types would refuse but people pass."""
    said = replace(FULL)
    for name, value in values.items():
        object.__setattr__(said, name, value)
    return said


WRONG = [
    ({"polarity": "irelevant"}, "unknown polarity 'irelevant': did you mean 'irrelevant'"),
    ({"scope": "data"}, "unknown scope 'data'"),
    ({"scope": "row", "row": None}, "names no row"),
    ({"label": None}, "names no class"),
    ({"row": -1}, "row is -1; expected a whole number from 0"),
    ({"row": 2**63}, "expected a whole number from 0"),
    ({"row": 1.5}, "row is 1.5; expected a whole number"),
    ({"label": "cat"}, "label is cat; expected a whole number"),
    ({"at": datetime(2026, 1, 1)}, "has no time zone"),
    ({"at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))}, "out of range"),
    ({"author": None}, "author is a NoneType; expected text"),
    ({"note": "\ud800"}, "half a character"),
    ({"split": ""}, "split is empty"),
    ({"region": Features(("\udfff",))}, "half a character"),
    ({"region": Pixels(np.zeros((0, 3), dtype=bool))}, r"shape \(0, 3\)"),
    ({"region": Pixels(np.array(True))}, r"shape \(\)"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_adding_many_is_all_or_none(path, values, message):
    with FeedbackStore(path) as store:
        with pytest.raises(FeedbackError, match=message) as error:
            store.add(changed(**values))
        assert "\n" not in str(error.value)
        with pytest.raises(FeedbackError, match=r"^feedback entry 2: "):
            store.add_all([FULL, changed(**values)])
        assert (store.revision, store.records()) == (0, [])
        assert store.add_all([]) == []
        assert store.add_all([FULL, SITE]) == [1, 2]


def test_numpy_integers_are_stored_as_integers(path):
    with FeedbackStore(path) as store:
        store.add(changed(row=np.int64(3), label=np.uint8(1)))
        ((_, said),) = store.active()
    assert (said.row, said.label) == (3, 1)


def test_an_error_inside_a_transaction_undoes_it(path, monkeypatch):
    with FeedbackStore(path) as store:
        monkeypatch.setattr(writing, "holds", lambda *_: True)  # So that no mask is stored.
        with pytest.raises(StudyError, match="FOREIGN KEY"):
            store.add_all([SITE, FULL])
        assert store.revision == 0


@pytest.mark.parametrize("table", ["event", "mask", "feedback", "retraction"])
def test_no_row_can_be_changed_deleted_or_replaced(path, table):
    with FeedbackStore(path) as store:
        store.retract(store.add(FULL))
        before = store.records()
    columns = [column for (_, column, *_) in sql(path, f"PRAGMA table_info({table})")]
    row = sql(path, f"SELECT * FROM {table}")[0]
    marks = ", ".join("?" for _ in row)
    for statement, values in [
        *((f'UPDATE {table} SET "{column}" = "{column}"', ()) for column in columns),
        (f"DELETE FROM {table}", ()),
        (f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row),
    ]:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            sql(path, statement, *values)
    with FeedbackStore(path) as store:
        assert store.records() == before


def test_the_file_is_durable_and_waits_for_other_writers(path):
    with FeedbackStore(path) as store:
        store.add(SITE)
        asked = {
            name: store._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert asked == {"journal_mode": "delete", "synchronous": 3, "busy_timeout": 30_000, "foreign_keys": 1}


WRITER = """
import sys
from corrigible.feedback.store import FeedbackStore
from corrigible.types import Features, Feedback
print("ready", flush=True)
sys.stdin.readline()
with FeedbackStore(sys.argv[1]) as store:
    for number in range(20):
        store.add(Feedback(Features(("site",)), scope="dataset", author=sys.argv[2], note=str(number)))
"""


@pytest.mark.slow
def test_two_processes_create_and_write_at_once(path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], **pipes) for name in "ab"]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    ended = [(*writer.communicate(timeout=120), writer.returncode) for writer in writers]
    assert ended == [("", "", 0)] * 2
    with FeedbackStore(path) as store:
        said = [feedback for _, feedback in store.active()]
        assert store.revision == 40
    for name in "ab":
        assert [feedback.note for feedback in said if feedback.author == name] == [str(n) for n in range(20)]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_lock_held_too_long_is_named(path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.01)
    with FeedbackStore(path) as store:
        store.add(SITE)
    with FeedbackStore(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyError, match="another program has been writing"):
            store.add(SITE)
        other.execute("ROLLBACK")
        store.add(SITE)


def test_the_loser_of_a_race_to_create_uses_the_winners_file(path, monkeypatch):
    give_name = database._give_name

    def late(temporary, target):
        if not target.exists():
            monkeypatch.undo()
            with FeedbackStore(path) as winner:
                winner.add(SITE)
        give_name(temporary, target)

    monkeypatch.setattr(database, "_give_name", late)
    with FeedbackStore(path) as loser:
        loser.add(FULL)
        assert loser.active() == [(1, SITE), (2, FULL)]


def test_it_is_created_without_hard_links_too(path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(database.os, "link", refuse)
    with FeedbackStore(path) as store:
        store.add(SITE)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def foreign(path):
    sql(path, "CREATE TABLE theirs (a)")
    sql(path, "PRAGMA application_id = 5")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"x"), r"not a feedback store \(application id 0x0"),
        (lambda path: path.write_text("row,feature\n" * 1000), "not a feedback store or is damaged"),
        (foreign, r"not a feedback store \(application id 0x5, expected 0x436f7272\)"),
        (lambda path: path.mkdir(), "a folder you may write to"),
    ],
)
def test_a_file_that_is_no_store_is_refused_and_untouched(path, write, message):
    write(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StudyError, match=message) as error:
        FeedbackStore(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_truncated_or_overwritten_file_is_one_clear_error_or_harmless(path):
    with FeedbackStore(path) as store:
        store.add_all(
            [replace(FULL, region=Pixels(np.random.default_rng(n).random((50, 50)) < 0.5)) for n in range(20)]
        )
        whole_records = store.records()
    whole = path.read_bytes()
    found = []
    for place in range(0, len(whole), 512):
        for content in (whole[:place], whole[:place] + b"\xa5" * 512 + whole[place + 512 :]):
            path.write_bytes(content)
            found.append(records_or_refusal(path))
    refusals = [refusal for refusal in found if isinstance(refusal, str)]
    assert all(records == whole_records for records in found if not isinstance(records, str))
    assert len(refusals) > len(found) / 2
    assert not any("\n" in refusal for refusal in refusals)


def records_or_refusal(path):
    try:
        with FeedbackStore(path) as store:
            return store.records()
    except StudyError as error:
        return str(error)


def test_a_mask_that_was_tampered_with_is_noticed(path):
    with FeedbackStore(path) as store:
        store.add(FULL)
        store.add(replace(FULL, region=Pixels(~CORNER)))
    force(path, "UPDATE mask SET bits = (SELECT max(bits) FROM mask)")
    with FeedbackStore(path) as store, pytest.raises(StudyError, match=r"mask .* hash does not match"):
        store.active()


def test_a_row_deleted_by_force_is_noticed(path):
    with FeedbackStore(path) as store:
        store.add_all([SITE, SITE])
    force(path, "DELETE FROM feedback WHERE number = 1")
    with pytest.raises(StudyError, match="changes are missing"):
        FeedbackStore(path)
    force(path, "DELETE FROM event WHERE number = 1")
    with pytest.raises(StudyError, match="a reference leads nowhere"):
        FeedbackStore(path)
    force(path, "DELETE FROM chain WHERE number = 1")
    with pytest.raises(StudyError, match="changes are missing"):
        FeedbackStore(path)


def test_a_newer_version_is_refused(path):
    with FeedbackStore(path) as store:
        store.add(SITE)
    sql(path, "PRAGMA user_version = 7")
    with pytest.raises(StudyError, match="has version 7; this corrigible knows versions up to 4: upgrade corrigible"):
        FeedbackStore(path)


def test_an_older_version_is_brought_up_to_date_once(path, monkeypatch):
    with FeedbackStore(path) as store:
        store.add(SITE)
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, ("CREATE TABLE later (a)",)))
    with FeedbackStore(path) as store:
        assert store.active() == [(1, SITE)]
    assert sql(path, "PRAGMA user_version") == [(4,)]
    for number in (2, 3):
        with FeedbackStore(path) as store:
            assert store.add(FULL) == number
    assert sql(path, "PRAGMA user_version") == [(5,)]
    assert sql(path, "SELECT count(*) FROM later") == [(0,)]


def test_a_broken_migration_changes_nothing(path, monkeypatch):
    with FeedbackStore(path) as store:
        store.add(SITE)
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, ("CREATE TABLE later (a)", "no SQL")))
    with FeedbackStore(path) as store:
        with pytest.raises(StudyError, match="syntax error"):
            store.add(FULL)
        assert store.active() == [(1, SITE)]
    assert sql(path, "PRAGMA user_version") == [(4,)]
    assert sql(path, "SELECT name FROM sqlite_master WHERE name = 'later'") == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(StudyError, match=f"{folder}"):
            FeedbackStore(folder / "feedback.sqlite")


def test_a_store_that_may_only_be_read_is_read_and_refuses_to_add(path, monkeypatch):
    with FeedbackStore(path) as store:
        store.add(SITE)
    opened = database._open
    monkeypatch.setattr(database, "_open", lambda address, *rest: opened(address.replace("mode=rw", "mode=ro"), *rest))
    with FeedbackStore(path) as store:
        with pytest.raises(StudyError, match=f"readonly database.*check that {path.parent} is a folder you may write"):
            store.add(FULL)
        assert store.active() == [(1, SITE)]


def test_a_closed_store_is_a_mistake_of_the_caller(path):
    store = FeedbackStore(path)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.active()


def test_a_phrase_comes_back_as_it_was(path):
    said = replace(SITE, region=Phrase(("größe", "'s")))
    with FeedbackStore(path) as store:
        store.add(said)
    with FeedbackStore(path) as store:
        assert store.active() == [(1, said)]


@pytest.mark.parametrize("written", ['{"words": ["a"]}', '{"phrase": 3}', "3"])
def test_a_region_that_is_something_else_is_damage(path, written, monkeypatch):
    with FeedbackStore(path) as store:
        store.add(Feedback(Phrase(("a",)), scope="dataset"))
    force(path, f"UPDATE feedback SET features = '{written}'")
    monkeypatch.setattr(store_module, "links", lambda *rest: [Link(1, "", "", "")])
    with FeedbackStore(path) as store, pytest.raises(StudyError, match="is damaged"):
        store.active()
