"""Files and folders are complete or absent, and names stay inside their folder.

A folder that refuses writing is played by a path below a regular file, and by system calls made to fail: file
permissions do not bind a superuser, as whom tests often run.
"""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corrigible import folders
from corrigible.errors import StudyError
from corrigible.folders import draft_file, draft_folder, inside, new_folder, write_atomically


def refuse(*arguments, **settings):
    raise OSError(28, "No space left on device")


def test_the_file_holds_the_data_and_nothing_else_is_left(tmp_path):
    write_atomically(tmp_path / "a", b"old")
    write_atomically(tmp_path / "a", b"new\0")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new\0"}


def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "a", b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call):
    write_atomically(tmp_path / "a", b"old")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StudyError, match=f"cannot write in {tmp_path} .*No space left"):
        write_atomically(tmp_path / "a", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_file_and_folder_are_synced_before_and_after_the_name_is_given(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def watched_replace(source, target):
        calls.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_atomically(tmp_path / "a", b"data")
    assert calls == ["file", "replace", "folder"]


def test_a_place_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(StudyError, match=f"cannot write in {folder} "):
            write_atomically(folder / "a", b"data")
    with pytest.raises(StudyError, match="cannot write in"), new_folder(tmp_path / "file" / "a"):
        pass


def test_a_new_folder_appears_only_when_the_block_ends(tmp_path):
    with new_folder(tmp_path / "parent" / "a") as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "file").write_bytes(b"data")
        assert temporary.parent == tmp_path / "parent"
        assert not (tmp_path / "parent" / "a").exists()
    assert [path.name for path in (tmp_path / "parent").iterdir()] == ["a"]
    assert (tmp_path / "parent" / "a" / "sub" / "file").read_bytes() == b"data"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_broken_block_leaves_nothing(tmp_path, error):
    def fill_and_break():
        with new_folder(tmp_path / "a") as temporary:
            (temporary / "file").write_bytes(b"data")
            raise error

    with pytest.raises(error):
        fill_and_break()
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_replaces_an_empty_one_and_no_other(tmp_path):
    (tmp_path / "a").mkdir()
    with new_folder(tmp_path / "a") as temporary:
        (temporary / "file").write_bytes(b"first")
    with pytest.raises(StudyError, match="is not an empty folder"), new_folder(tmp_path / "a") as temporary:
        (temporary / "file").write_bytes(b"second")
    assert (tmp_path / "a" / "file").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["a", "a/b.txt", "größe.txt", ".hidden", "..a", "a..", "~", "-x", "a b"])
def test_plain_names_are_inside(tmp_path, name):
    assert inside(tmp_path, name) == tmp_path / name


LEAVING = ["", ".", "..", "/", "/etc/passwd", "//a", "../a", "a/../b", "a/..", "./a", "a//b", "a/"]
FOREIGN = ["a\\b", "C:a", "C:/a", "a\nb", "a\0b", "a\rb", "\ud800"]


@pytest.mark.parametrize("name", [*LEAVING, *FOREIGN])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="not a plain path"):
        inside(tmp_path, name)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out").symlink_to(tmp_path)
    (tmp_path / "folder" / "in").symlink_to(tmp_path / "folder")
    with pytest.raises(ValueError, match="symbolic link"):
        inside(tmp_path / "folder", "out/a")
    assert inside(tmp_path / "folder", "in/a") == tmp_path / "folder" / "in" / "a"
    (tmp_path / "folder" / "round").symlink_to(tmp_path / "folder" / "round")
    with pytest.raises(ValueError, match="'round' .* is a symbolic link to itself"):
        inside(tmp_path / "folder", "round")


@given(st.text(st.sampled_from("ab./\\:~ \n"), max_size=12))
@example("a/..")
def test_no_accepted_name_leaves_the_folder(name):
    folder = Path("/nowhere/folder")
    try:
        path = inside(folder, name)
    except ValueError:
        return
    assert os.path.normpath(path).startswith("/nowhere/folder/")


def test_only_drafts_that_nobody_holds_are_removed(tmp_path):
    left, old = tmp_path / f".writing-{'0' * 32}", tmp_path / ".writing-00ff-1-00ff"
    left.mkdir()
    (left / "half").write_bytes(b"")
    old.write_bytes(b"")
    with draft_folder(tmp_path / "a") as folder, draft_file(tmp_path / "b") as file:
        child = os.fork()
        if child == 0:
            write_atomically(tmp_path / "c", b"by another process")
            os._exit(0)
        os.waitpid(child, 0)
        assert {path.name for path in tmp_path.iterdir()} == {folder.name, file.name, old.name, "c"}
    assert {path.name for path in tmp_path.iterdir()} == {old.name, "c"}


def test_a_draft_that_was_removed_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    locked, names = folders._locked, []

    def late(draft, how=0):
        names.append(draft)
        if len(names) == 1:
            draft.unlink()
        return locked(draft, how)

    monkeypatch.setattr(folders, "_locked", late)
    with draft_file(tmp_path / "a") as draft:
        assert draft.exists()
