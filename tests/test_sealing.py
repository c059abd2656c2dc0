"""A sealed folder verifies as it is, and whatever is done to it afterwards is named.

A file that cannot be read is played by system calls made to fail: file permissions do not bind a superuser, as whom
tests often run.
"""

import hashlib
import inspect
import json
import math
import os
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from corrigible import manifest as manifest_module
from corrigible.errors import ChangedError, SealError, StudyError
from corrigible.manifest import Manifest, SealedFile, manifest_as_bytes, read_manifest, root_of
from corrigible.models.weights import load_weights
from corrigible.sealing import Problem, compared, seal, verify
from corrigible.sealing.evidence import measurements_as_rows
from corrigible.types import Measurement
from verdicts import FAILED

FILES = {
    "recipe.toml": b"seed = 1\n",
    "pictures/größe ä.txt": b"text",
    "pictures/a/b.bin": b"\0\1",
    "same.txt": b"text",
    "empty": b"",
    "Zebra": b"1",
    "-x": b"2",
}


def kinds(verification):
    return {(problem.kind, problem.path) for problem in verification.problems}


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def model():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


@pytest.fixture
def sealed(tmp_path, model):
    seal(model, tmp_path / "sealed", files=FILES)
    return tmp_path / "sealed"


def test_an_untouched_folder_verifies(tmp_path, model):
    manifest = seal(model, tmp_path / "sealed", files=FILES)
    assert read_manifest(tmp_path / "sealed") == manifest
    verification = verify(tmp_path / "sealed", root=manifest.root)
    assert (verification.ok, verification.problems, verification.root) == (True, (), manifest.root)
    assert verify(str(tmp_path / "sealed"), root=f" {manifest.root.upper()}\n").ok
    assert [path.name for path in tmp_path.iterdir()] == ["sealed"]


def test_the_folder_holds_what_was_given_and_a_list_of_it(tmp_path, sealed, model):
    held = snapshot(sealed)
    assert held.keys() == {*FILES, "model.safetensors", "measurements.json", "sealed.json", "manifest.json"}
    assert {name: held[name] for name in FILES} == FILES
    written = json.loads(held.pop("manifest.json"))
    assert (written["format"], written["version"]) == ("corrigible-seal", 2)
    expected = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in held.items()}
    assert written["files"] == expected
    other = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    load_weights(other, sealed / "model.safetensors")
    assert torch.equal(other[0].weight, model[0].weight)


def test_tensors_can_be_sealed_without_a_model(tmp_path):
    square = torch.eye(3)
    seal({"a": square.T, "b": square[1:]}, tmp_path / "sealed")
    assert verify(tmp_path / "sealed").ok


def test_measurements_are_plain_json_even_when_not_numbers(tmp_path, model):
    evidence = [Measurement("accuracy", math.nan, -math.inf, math.inf, 3), Measurement("größe", None, note="why")]
    seal(model, tmp_path / "sealed", evidence=evidence)

    def refuse(constant):
        raise AssertionError(constant)

    written = json.loads((tmp_path / "sealed" / "measurements.json").read_bytes(), parse_constant=refuse)
    first, second = written["measurements"]
    assert first.keys() == {field.name for field in fields(Measurement)}
    assert (first["value"], first["low"], first["high"], first["count"]) == ("nan", "-inf", "inf", 3)
    assert (second["metric"], second["value"], second["note"]) == ("größe", None, "why")


def test_the_root_is_the_hash_of_the_sorted_lines(sealed):
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  {name}\n"
        for name, data in snapshot(sealed).items()
        if name != "manifest.json"
    ]
    text = "".join(sorted(lines, key=lambda line: line[66:].encode()))
    assert read_manifest(sealed).root == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs the program sha256sum")
def test_anyone_can_compute_the_root_with_the_documented_command(sealed):
    (command,) = [line for line in manifest_module.__doc__.splitlines() if line.strip().startswith("find ")]
    printed = subprocess.run(["sh", "-c", command], cwd=sealed, capture_output=True, check=True, text=True).stdout
    assert printed.split()[0] == read_manifest(sealed).root


def append(path):
    path.write_bytes(path.read_bytes() + b"x")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def replace_by_link(path):
    outside = path.parent.parent / f"{path.name} elsewhere"
    path.rename(outside)
    path.symlink_to(outside)


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda folder: append(folder / "recipe.toml"), {("changed", "recipe.toml")}),
        (lambda folder: flip_a_bit(folder / "model.safetensors"), {("changed", "model.safetensors")}),
        (lambda folder: flip_a_bit(folder / "pictures/a/b.bin"), {("changed", "pictures/a/b.bin")}),
        (lambda folder: append(folder / "empty"), {("changed", "empty")}),
        (lambda folder: (folder / "recipe.toml").unlink(), {("missing", "recipe.toml")}),
        (lambda folder: shutil.rmtree(folder / "pictures/a"), {("missing", "pictures/a/b.bin")}),
        (lambda folder: (folder / "pictures/new").write_bytes(b"new"), {("added", "pictures/new")}),
        (lambda folder: (folder / ".hidden").write_bytes(b""), {("added", ".hidden")}),
        (lambda folder: shutil.copy(folder / "recipe.toml", folder / "copy"), {("added", "copy")}),
        (lambda folder: (folder / "two\nlines").write_bytes(b"new"), {("added", r"'two\nlines'")}),
        (lambda folder: (folder / "no files").mkdir(), set()),
        (lambda folder: (folder / "recipe.toml").rename(folder / "pictures/r"), {("renamed", "recipe.toml")}),
        (lambda folder: (folder / "empty").rename(folder / "void"), {("renamed", "empty")}),
        (
            lambda folder: (folder / "pictures").rename(folder / "photos"),
            {("renamed", "pictures/größe ä.txt"), ("renamed", "pictures/a/b.bin")},
        ),
        (lambda folder: (folder / "recipe.toml").write_bytes(b""), {("emptied", "recipe.toml")}),
        (lambda folder: replace_by_link(folder / "recipe.toml"), {("symlink", "recipe.toml")}),
        (lambda folder: replace_by_link(folder / "pictures"), {("symlink", "pictures")}),
        (lambda folder: (folder / "link").symlink_to(folder / "recipe.toml"), {("symlink", "link")}),
        (lambda folder: (folder / "link").symlink_to("nowhere"), {("symlink", "link")}),
        (lambda folder: (folder / "loop").symlink_to(folder), {("symlink", "loop")}),
        (lambda folder: os.mkfifo(folder / "pipe"), {("unreadable", "pipe")}),
    ],
)
def test_what_was_done_to_the_folder_is_named(sealed, tamper, expected):
    root = read_manifest(sealed).root
    tamper(sealed)
    verification = compared(sealed, root=root)
    assert kinds(verification) == expected
    assert (verification.ok, verification.root) == (not expected, root)
    assert all("\n" not in problem.path + problem.detail for problem in verification.problems)


def test_a_rename_names_each_new_file_once(sealed):
    (sealed / "same.txt").rename(sealed / "same2.txt")
    (sealed / "pictures/größe ä.txt").unlink()
    assert kinds(compared(sealed)) == {("renamed", "pictures/größe ä.txt"), ("missing", "same.txt")}


def test_exchanged_files_are_changed_files(sealed):
    (sealed / "recipe.toml").rename(sealed / "aside")
    (sealed / "same.txt").rename(sealed / "recipe.toml")
    (sealed / "aside").rename(sealed / "same.txt")
    assert kinds(compared(sealed)) == {("changed", "recipe.toml"), ("changed", "same.txt")}


def test_a_link_is_never_followed(sealed, monkeypatch):
    replace_by_link(sealed / "pictures")
    replace_by_link(sealed / "same.txt")
    opened, os_open, scanned, scandir = [], os.open, [], os.scandir
    monkeypatch.setattr(os, "open", lambda path, *rest: opened.append(str(path)) or os_open(path, *rest))
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(str(path)) or scandir(path))
    compared(sealed)
    assert scanned == [str(sealed)]
    assert str(sealed / "recipe.toml") in opened
    assert not any("pictures" in path or "same.txt" in path for path in opened)


def test_files_and_folders_that_cannot_be_read_are_named(sealed, monkeypatch):
    os_open, scandir = os.open, os.scandir

    def refusing(call, name):
        def refuse(path, *rest):
            if str(path).endswith(name):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *rest)

        return refuse

    monkeypatch.setattr(os, "open", refusing(os_open, "recipe.toml"))
    monkeypatch.setattr(os, "scandir", refusing(scandir, "pictures"))
    verification = compared(sealed)
    assert verification.problems == (
        Problem("unreadable", "pictures", "Permission denied"),
        Problem("unreadable", "recipe.toml", "Permission denied"),
    )


def rewrite(sealed, change):
    written = json.loads((sealed / "manifest.json").read_text())
    change(written)
    text = json.dumps(written, indent=2, ensure_ascii=False) + "\n"
    (sealed / "manifest.json").write_text(text, encoding="utf-8")


def test_verify_raises_when_anything_has_changed(sealed):
    (sealed / "same.txt").unlink()
    append(sealed / "recipe.toml")
    with pytest.raises(ChangedError, match=r"changed recipe\.toml .* and 1 more difference") as error:
        verify(sealed)
    assert error.value.problems == compared(sealed).problems
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "written",
    [lambda text: text.replace("  ", " "), lambda text: text + "\n", lambda text: text.replace("ß", "\\u00df")],
)
def test_a_manifest_in_other_words_is_named(sealed, written):
    manifest = sealed / "manifest.json"
    manifest.write_text(written(manifest.read_text()))
    assert kinds(compared(sealed, root=read_manifest(sealed).root)) == {("manifest", "manifest.json")}


def test_the_root_covers_the_time_of_sealing(sealed):
    root = read_manifest(sealed).root
    later = json.loads((sealed / "sealed.json").read_text()) | {"created": "2001-01-01T00:00:00+00:00"}
    (sealed / "sealed.json").write_text(json.dumps(later, indent=2))
    content = (sealed / "sealed.json").read_bytes()
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    rewrite(sealed, lambda written: written["files"].update({"sealed.json": entry}))
    rewrite(sealed, lambda written: written.update(root=root_of(read_manifest(sealed).files)))
    assert verify(sealed).ok
    assert kinds(compared(sealed, root=root)) == {("root", "manifest.json")}


def test_every_flipped_bit_in_a_manifest_is_noticed(sealed):
    manifest = sealed / "manifest.json"
    whole = manifest.read_bytes()
    for place in range(0, 8 * len(whole), 37):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        manifest.write_bytes(flipped)
        with pytest.raises((SealError, ChangedError)):
            verify(sealed)


def test_a_folder_sealed_by_version_1_still_verifies(sealed):
    (sealed / "sealed.json").unlink()
    held = {name: data for name, data in snapshot(sealed).items() if name != "manifest.json"}
    files = {name: SealedFile(hashlib.sha256(held[name]).hexdigest(), len(held[name])) for name in sorted(held)}
    dated = {"created": "2026-01-01T00:00:00+00:00", "corrigible": "0.1.0"}
    (sealed / "manifest.json").write_bytes(manifest_as_bytes(Manifest(files, root_of(files), 1, dated)))
    assert verify(sealed, root=root_of(files)).ok


def test_a_manifest_that_does_not_match_its_root_is_named(sealed):
    rewrite(sealed, lambda written: written.update(root="0" * 64))
    assert kinds(compared(sealed)) == {("manifest", "manifest.json")}


def test_a_manifest_with_a_wrong_size_is_named(sealed):
    rewrite(sealed, lambda written: written["files"]["recipe.toml"].update(bytes=3))
    assert kinds(compared(sealed)) == {("manifest", "recipe.toml")}


def test_only_the_quoted_root_finds_a_manifest_written_anew(sealed):
    root = read_manifest(sealed).root
    append(sealed / "recipe.toml")
    changed = (sealed / "recipe.toml").read_bytes()

    def forge(written):
        written["files"]["recipe.toml"] = {"sha256": hashlib.sha256(changed).hexdigest(), "bytes": len(changed)}

    rewrite(sealed, forge)
    forged = root_of(read_manifest(sealed).files)
    rewrite(sealed, lambda written: written.update(root=forged))
    assert verify(sealed).ok
    assert kinds(compared(sealed, root=root)) == {("root", "manifest.json")}
    assert kinds(compared(sealed, root=root[:8] + "\n")) == {("root", "manifest.json")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda written: written.update(format="zip"), "expected an object with format 'corrigible-seal'"),
        (lambda written: written.update(version=3), "version is 3; the newest known is 2: upgrade corrigible"),
        (lambda written: written.update(version=True), "version is True"),
        (lambda written: written.update(signature="me"), "'signature' is missing or unknown"),
        (lambda written: written.pop("root"), "'root' is missing or unknown"),
        (lambda written: written.update(root=3), "root is 3; expected text"),
        (lambda written: written.update(files=[]), "files is a list of 0; expected an object"),
        (lambda written: written["files"].update({"../a": {}}), "'../a' is not a plain path"),
        (lambda written: written["files"].update({"/etc/passwd": {}}), "is not a plain path"),
        (lambda written: written["files"].update({"manifest.json": {}}), "it lists manifest.json itself"),
        (lambda written: written["files"].update(a={"sha256": "0" * 64}), "'a' is not an object with sha256 and bytes"),
        (lambda written: written["files"].update(a={"sha256": "0", "bytes": 1}), "expected 64 hexadecimal digits"),
        (lambda written: written["files"].update(a={"sha256": "0" * 64, "bytes": -1}), "bytes of 'a' is -1"),
    ],
)
def test_a_corrupt_manifest_is_refused(sealed, change, message):
    rewrite(sealed, change)
    with pytest.raises(SealError, match=message) as error:
        verify(sealed)
    assert "\n" not in str(error.value)
    assert str(sealed) in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[" * 100_000, b"[]", b'{"format": "corrigible-seal"}', b"\x80\x04."]
)
def test_a_manifest_that_is_no_manifest_is_refused(sealed, content):
    (sealed / "manifest.json").write_bytes(content)
    with pytest.raises(SealError, match=r"manifest\.json is not a manifest") as error:
        verify(sealed)
    assert "\n" not in str(error.value)


def refusal_of(folder):
    try:
        verify(folder)
    except (SealError, ChangedError) as error:
        return str(error)
    return None


@settings(max_examples=60)
@given(st.integers(0), st.characters(exclude_categories=["Cs"]))
def test_a_manifest_with_one_character_changed_never_raises_another_error(tmp_path_factory, place, character):
    folder = tmp_path_factory.getbasetemp() / "one-character"
    if not folder.exists():
        seal({"a": torch.zeros(1)}, folder, files={"b": b"b"})
    text = (folder / "manifest.json").read_bytes().decode()
    place %= len(text)
    try:
        (folder / "manifest.json").write_bytes((text[:place] + character + text[place + 1 :]).encode())
        refusal = refusal_of(folder)
        assert refusal is None or "\n" not in refusal
    finally:
        (folder / "manifest.json").write_bytes(text.encode())


@pytest.mark.parametrize("replace", [Path.unlink, lambda path: (path.unlink(), path.mkdir()), replace_by_link])
def test_a_folder_without_a_readable_manifest_is_refused(sealed, replace):
    replace(sealed / "manifest.json")
    with pytest.raises(SealError, match=r"cannot read .*manifest\.json") as error:
        verify(sealed)
    assert "\n" not in str(error.value)


def test_a_missing_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(
            SealError, match=f"cannot read {folder}/manifest.json .*; expected the manifest of a sealed"
        ):
            verify(folder)


def test_a_folder_in_use_is_never_touched(tmp_path, model, sealed):
    before = snapshot(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for taken in (sealed, sealed / "recipe.toml", tmp_path / "link"):
        with pytest.raises(SealError, match="choose another name"):
            seal(model, taken)
    assert snapshot(tmp_path) == before
    seal(model, tmp_path / "empty")
    assert verify(tmp_path / "empty").ok


@pytest.mark.parametrize("name", ["/a", "../a", "a/../../b", "a\\b", "", "a\n", "model.safetensors", "Manifest.JSON"])
def test_names_that_are_not_plain_or_taken_are_refused(tmp_path, model, name):
    with pytest.raises(ValueError, match=r"plain path|is taken"):
        seal(model, tmp_path / "sealed", files={name: b""})
    assert list(tmp_path.iterdir()) == []


def test_names_that_differ_only_in_case_are_refused(tmp_path, model):
    with pytest.raises(ValueError, match="'A' is taken"):
        seal(model, tmp_path / "sealed", files={"a": b"", "A": b""})


def test_a_seal_that_fails_leaves_nothing(tmp_path, model, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StudyError, match=f"cannot write in {tmp_path} .*No space"):
            seal(model, tmp_path / "sealed")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StudyError, match="cannot write in"):
        seal(model, tmp_path / "file" / "sealed")


def test_sealing_creates_missing_parents(tmp_path, model):
    seal(model, tmp_path / "sealed" / "2026-01")
    assert verify(tmp_path / "sealed" / "2026-01").ok


def test_a_correction_that_failed_is_sealed_only_when_told_to(tmp_path):
    model = nn.Linear(2, 2)
    model.verdict = FAILED
    with pytest.raises(SealError, match="seal it with anyway=True"):
        seal(model, tmp_path / "sealed")
    assert verify(tmp_path / "sealed", root=seal(model, tmp_path / "sealed", anyway=True).root).ok


@pytest.mark.parametrize("evidence", ["accuracy .9", [0.9]])
def test_evidence_that_is_no_measurement_is_refused(evidence):
    unchecked = inspect.unwrap(measurements_as_rows)
    with pytest.raises(SealError, match="evidence holds .*; expected measurements, as `evaluate` gives them"):
        unchecked(evidence)
