"""Seals and folders signed by model-signing: each program verifies what the other signed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("cryptography", reason="needs the extra seal")
pytest.importorskip("model_signing", reason="needs the extra bench")

from corrigible.errors import SealError
from corrigible.sealing import attest, compared, make_key, seal, verify
from corrigible.types import Measurement

pytestmark = pytest.mark.slow
FILES = {
    "report.html": b"<html></html>",
    "data/.hidden": b"1",
    "ä/ö ü.txt": b"3",
    "a.b": b"",
    "a-b/c": b"x",
    "a/c": b"y",
    "Z": b"z",
}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "key")
    return tmp_path / "key"


def model_signing(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model_signing", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "CORRIGIBLE_KEY_PASSPHRASE"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def their_verdict(folder: Path, key: Path) -> int:
    arguments = ("--signature", folder / "model.sig", "--public_key", f"{key}.pub")
    return model_signing("verify", "key", folder, *arguments).returncode


def test_it_verifies_our_seals_and_finds_what_was_done_to_them(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "sealed"
    seal({"a": torch.zeros(3)}, folder, files=FILES, evidence=[Measurement("accuracy", 0.5)], signing=key)
    assert their_verdict(folder, key) == 0
    attest(folder, [Measurement("accuracy", 0.6)], key=key, report=b"<html></html>")
    assert their_verdict(folder, key) == 0
    make_key(tmp_path / "other")
    assert their_verdict(folder, tmp_path / "other") != 0
    (folder / "a.b").write_bytes(b"1")
    assert their_verdict(folder, key) != 0


def test_we_verify_what_it_signed_and_say_what_it_left_out(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "model"
    for name, data in {**FILES, ".git/config": b"git", ".hidden": b"2"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    signed = model_signing("sign", "key", folder, "--signature", folder / "model.sig", "--private_key", key)
    assert signed.returncode == 0, signed.stderr
    checked = verify(folder, key=f"{key}.pub")
    assert checked.ok and checked.uncovered == (".git",)
    with pytest.raises(SealError, match=r"cannot read .*manifest\.json"):
        verify(folder)
    for tamper in (
        lambda copy: (copy / "Z").write_bytes(b"y"),
        lambda copy: (copy / "Z").unlink(),
        lambda copy: (copy / "new").write_bytes(b""),
        lambda copy: (copy / "link").symlink_to("Z"),
        lambda copy: (copy / "Z").rename(copy / "Y"),
    ):
        copy = Path(shutil.copytree(folder, tmp_path / "copy"))
        tamper(copy)
        assert not compared(copy, key=f"{key}.pub").ok
        shutil.rmtree(copy)


def test_it_verifies_what_an_encrypted_key_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked"
    make_key(path, passphrase="open sesame")
    monkeypatch.setenv("CORRIGIBLE_KEY_PASSPHRASE", "open sesame")
    seal({}, tmp_path / "sealed", signing=path)
    assert their_verdict(tmp_path / "sealed", path) == 0


def test_an_unsigned_seal_that_it_signed_later_is_checked_with_the_key(tmp_path: Path, key: Path) -> None:
    seal({}, tmp_path / "plain", files=FILES)
    folder = tmp_path / "plain"
    model_signing("sign", "key", folder, "--signature", folder / "model.sig", "--private_key", key)
    assert verify(folder, key=f"{key}.pub").ok
    (folder / "Z").write_bytes(b"y")
    assert not compared(folder, key=f"{key}.pub").ok
