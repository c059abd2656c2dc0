"""What a study or a user names is a regular file, of a size that fits, inside the folder where it belongs."""

import os

import pytest

from corrigible.files import opened, read_bytes, read_text, require_fit


def test_the_content_comes_back(tmp_path):
    (tmp_path / "a").write_text("é")
    assert read_text(tmp_path / "a", most=2) == "é"
    with opened(tmp_path / "a", most=2) as file:
        assert file.read() == "é".encode()


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "a", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="too large, 1,048,576 MiB; expected at most 1 MiB"):
        read_bytes(tmp_path / "a", most=2**20)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"123")
    monkeypatch.setattr("corrigible.files.require_fit", lambda *arguments, **settings: None)
    with pytest.raises(OSError, match="too large, 3 bytes"):
        read_bytes(tmp_path / "a", most=2)


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device"])
def test_what_is_no_regular_file_is_neither_read_nor_waited_for(kind, tmp_path):
    path = {"a pipe": tmp_path / "pipe", "a folder": tmp_path, "a device": tmp_path / "zero"}[kind]
    if kind == "a pipe":
        os.mkfifo(path)
    if kind == "a device":
        path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match=f"it is {kind}; expected a regular file"):
        read_bytes(path, most=10)


def test_a_pipe_that_took_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("corrigible.files.require_fit", lambda *arguments, **settings: None)
    with pytest.raises(OSError, match="a pipe"):
        opened(tmp_path / "pipe", most=10)


def test_a_link_may_lead_within_the_folder_and_not_out_of_it(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    for path in (tmp_path / "theirs", inside / "ours"):
        path.write_bytes(b"1")
    (inside / "good").symlink_to("ours")
    (inside / "bad").symlink_to(tmp_path / "theirs")
    require_fit(inside / "good", most=1, within=inside)
    require_fit(inside / "bad", most=1)
    with pytest.raises(OSError, match="link leads out of"):
        require_fit(inside / "bad", most=1, within=inside)
    (inside / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="leads to itself"):
        require_fit(inside / "loop", most=1, within=inside)
    with pytest.raises(OSError, match="not followed"):
        read_bytes(inside / "good", most=1, follow_links=False)
