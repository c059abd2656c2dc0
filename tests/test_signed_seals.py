"""A seal signed with a key, its attestations and its chain: what an attacker may do is found, with the key pinned."""

import base64
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

pytest.importorskip("cryptography", reason="needs the extra seal")

from corrigible.errors import ChangedError, SealError
from corrigible.sealing import Provenance, Signing, attest, compared, make_key, seal, seal_differences, verify
from corrigible.sealing.attestations import path_of, read_attestation
from corrigible.sealing.bundles import Bundle, bundle_as_bytes, read_bundle
from corrigible.sealing.keys import PASSPHRASE, read_private_key, read_public_key
from corrigible.types import Measurement

FILES = {
    "report.html": b"<html></html>",
    "data/.hidden": b"1",
    ".git/config": b"2",
    "ä/ö.txt": b"3",
    "a.b": b"",
    "a-b/c": b"x",
}
MEASURED = [Measurement("accuracy", 0.5, 0.4, 0.6, 100), Measurement("gap", None, note="why")]


def kinds(verification):
    return {(problem.kind, problem.path) for problem in verification.problems}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with two keys, a seal, one after it, and an attestation added to the first."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("key", "other"):
        make_key(folder / name)
    provenance = Provenance(data={"train.csv": "0" * 64}, feedback={"revision": 3, "sha256": "1" * 64})
    signing = Signing(key=folder / "key", provenance=provenance)
    seal({"a": torch.zeros(3)}, folder / "one", evidence=MEASURED, files=FILES, signing=signing)
    attest(folder / "one", [Measurement("accuracy", 0.7)], key=folder / "key", report=b"<html>later</html>")
    after = Signing(key=folder / "key", parent=folder / "one")
    seal({"a": torch.ones(3)}, folder / "two", evidence=MEASURED, files=FILES, signing=after)
    return folder


@pytest.fixture
def held(made, tmp_path):
    """A copy that may be changed."""
    return Path(shutil.copytree(made, tmp_path / "held", symlinks=True))


def test_a_signed_seal_verifies_with_its_key_and_without(made):
    public = read_public_key(made / "key.pub")
    checked = verify(made / "one", key=made / "key.pub")
    assert (checked.ok, checked.signer, len(checked.heads)) == (True, public.fingerprint, 3)
    assert verify(made / "one").signer == ""
    assert verify(made / "two", key=made / "key.pub", root=compared(made / "two").root).ok


def test_an_attestation_leaves_every_sealed_byte_as_it_was(held):
    before = {path: path.read_bytes() for path in (held / "two").rglob("*") if path.is_file()}
    root = verify(held / "two").root
    head = attest(held / "two", MEASURED, key=held / "key")
    assert {path: path.read_bytes() for path in before} == before
    checked = verify(held / "two", key=held / "key.pub", root=root, head=head)
    assert (checked.root, checked.head) == (root, head)


def test_an_attestation_says_from_what_the_model_was_made_and_what_is_not_known_is_null(made):
    first, second = (read_attestation(made / "one", number).predicate for number in (1, 2))
    assert first["data"] == {"train.csv": "0" * 64} and first["feedback"]["revision"] == 3
    assert (first["recipe"], first["code"], first["parent"], second["data"]) == (None, None, None, None)
    assert [row["value"] for row in first["measurements"]] == [0.5, None]
    assert first["environment"]["torch"] == torch.__version__
    assert first["report"]["path"] == "report.html"
    assert second["report"]["path"] == "attestations/0002/report.html"
    assert read_attestation(made / "two", 1).predicate["parent"] == first["root"]


def test_without_measurements_there_is_nothing_to_attest(held):
    with pytest.raises(SealError, match="no measurements to attest"):
        attest(held / "one", [], key=held / "key")


def test_a_changed_or_foreign_seal_is_not_attested(held):
    with pytest.raises(ChangedError, match="cannot attest .* as this key sealed it: attestation .* another key"):
        attest(held / "one", MEASURED, key=held / "other")
    (held / "one" / "a.b").write_bytes(b"1")
    with pytest.raises(ChangedError, match="changed a.b"):
        attest(held / "one", MEASURED, key=held / "key")
    with pytest.raises(SealError, match=r"cannot seal after .* \(changed a\.b\); put an unchanged copy there"):
        seal({}, held / "three", signing=Signing(key=held / "key", parent=held / "one"))


def test_another_key_is_named(made):
    found = compared(made / "one", key=made / "other.pub")
    assert {("signature", "model.sig"), ("signature", "sealed.json"), ("attestation", path_of(1))} <= kinds(found)
    assert not found.ok


def test_a_key_in_the_folder_that_it_should_vouch_for_is_refused(held):
    shutil.copy(held / "key.pub", held / "one")
    with pytest.raises(SealError, match="which it should vouch for; use the signer's, from elsewhere"):
        verify(held / "one", key=held / "one" / "key.pub")


def test_an_unsigned_seal_is_not_taken_for_a_signed_one(held):
    seal({}, held / "plain")
    assert verify(held / "plain").ok
    assert kinds(compared(held / "plain", key=held / "key.pub")) == {("signature", "model.sig")}
    shutil.copy(held / "one" / "model.sig", held / "plain")
    assert kinds(compared(held / "plain")) == {("added", "model.sig")}
    assert kinds(compared(held / "plain", key=held / "key.pub")) == {("signature", "model.sig")}


def test_signed_again_by_another_key_is_found_only_with_the_key_pinned(held):
    shutil.rmtree(held / "one")
    seal({"a": torch.ones(3)}, held / "one", evidence=MEASURED, files=FILES, signing=held / "other")
    assert verify(held / "one").ok
    assert ("signature", "model.sig") in kinds(compared(held / "one", key=held / "key.pub"))


def test_an_older_seal_in_the_place_of_a_newer_one_is_found_by_the_pinned_head(held):
    one, two = compared(held / "one"), compared(held / "two")
    for known in (*one.heads, *two.heads):
        assert verify(held / "two", key=held / "key.pub", head=known).ok
    assert verify(held / "one", key=held / "key.pub").ok
    for pinned in two.heads:
        assert kinds(compared(held / "one", key=held / "key.pub", head=pinned)) == {("head", "sealed.json")}


def test_removed_attestations_are_found_by_the_pinned_head_and_all_of_them_without(held):
    head = compared(held / "one").head
    shutil.rmtree(held / "one" / "attestations" / "0002")
    assert verify(held / "one", key=held / "key.pub").ok
    assert kinds(compared(held / "one", key=held / "key.pub", head=head)) == {("head", "sealed.json")}
    shutil.rmtree(held / "one" / "attestations")
    assert not compared(held / "one").ok


def test_attestations_are_neither_exchanged_nor_replayed_nor_moved(held):
    first, second, other = held / "one" / path_of(1), held / "one" / path_of(2), held / "two" / path_of(1)
    for source, target in ((first, second), (second, first), (other, first), (other, second)):
        before = target.read_bytes()
        target.write_bytes(source.read_bytes())
        found = kinds(compared(held / "one", key=held / "key.pub"))
        assert ("attestation", str(target.relative_to(held / "one"))) in found
        target.write_bytes(before)
    first.parent.rename(first.parent.with_name("0003"))
    assert ("attestation", path_of(1)) in kinds(compared(held / "one"))


@pytest.mark.parametrize("path", ["model.sig", path_of(1), path_of(2)])
def test_every_flipped_bit_in_what_is_signed_is_found(held, path):
    file = held / "one" / path
    whole = file.read_bytes()
    for place in range(0, 8 * len(whole), 1999):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        file.write_bytes(flipped)
        assert not compared(held / "one", key=held / "key.pub").ok, place


@pytest.mark.parametrize("path", ["model.sig", path_of(1)])
def test_the_other_of_two_valid_signatures_is_found(held, path):
    from cryptography.hazmat.primitives.asymmetric import utils

    key, file = read_private_key(held / "key"), held / "one" / path
    found = read_bundle(file)
    r, s = utils.decode_dss_signature(found.signature)
    other = utils.encode_dss_signature(r, key.key.curve.group_order - s)
    assert key.public.has_signed(found.signed, other)
    file.write_bytes(bundle_as_bytes(Bundle(found.payload, other, found.fingerprint)))
    assert not compared(held / "one", key=held / "key.pub").ok


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda one: (one / "a.b").chmod(0o755), ("mode", "a.b")),
        (lambda one: (one / "a.b").chmod(0o666), ("mode", "a.b")),
        (lambda one: (one / "a.b").chmod(0o4644), ("mode", "a.b")),
        (lambda one: (one / "model.sig").chmod(0o755), ("mode", "model.sig")),
        (lambda one: (one / "manifest.json").chmod(0), ("mode", "manifest.json")),
        (lambda one: (one / "data").chmod(0o777), ("mode", "data")),
        (lambda one: (one / path_of(1)).chmod(0o755), ("mode", path_of(1))),
        (lambda one: (one / "new").mkdir(), ("added", "new")),
        (lambda one: (one / "attestations/0004").mkdir(), ("added", "attestations/0004")),
        (lambda one: (one / "attestations/x").write_bytes(b""), ("added", "attestations/x")),
        (
            lambda one: (one / "attestations/0002/report.html").write_bytes(b""),
            ("changed", "attestations/0002/report.html"),
        ),
        (lambda one: (one / "attestations/0002/report.html").unlink(), ("missing", "attestations/0002/report.html")),
        (lambda one: (one / "model.sig").unlink(), ("signature", "model.sig")),
        (lambda one: (one / ".git/config").unlink(), ("missing", ".git/config")),
        (lambda one: (one / ".git/new").write_bytes(b""), ("added", ".git/new")),
        (lambda one: os.mkfifo(one / "attestations/pipe"), ("unreadable", "attestations/pipe")),
        (lambda one: (one / "attestations/link").symlink_to("/etc"), ("symlink", "attestations/link")),
        (lambda one: (one / "model.sig").write_bytes(b"{}"), ("signature", "model.sig")),
    ],
)
def test_what_was_done_to_a_signed_folder_is_named_without_a_key_too(held, tamper, expected):
    tamper(held / "one")
    assert expected in kinds(compared(held / "one"))
    assert expected in kinds(compared(held / "one", key=held / "key.pub"))


def test_group_and_owner_may_have_what_a_usual_mask_gives_them(held):
    for mode in (0o600, 0o640, 0o644, 0o664, 0o400):
        (held / "one" / "a.b").chmod(mode)
        assert compared(held / "one").ok


@pytest.mark.parametrize("folder", ["attestations", "attestations/0001"])
def test_a_linked_folder_of_attestations_is_found(held, folder):
    place = held / "one" / folder
    place.rename(held / "elsewhere")
    place.symlink_to(held / "elsewhere")
    assert not compared(held / "one", key=held / "key.pub").ok


def test_the_signed_statement_is_that_of_model_signing(made):
    whole = json.loads((made / "one" / "model.sig").read_text())
    assert whole["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    statement = json.loads(base64.b64decode(whole["dsseEnvelope"]["payload"]))
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
    listed = {entry["name"] for entry in statement["predicate"]["resources"]}
    held = {str(path.relative_to(made / "one")) for path in (made / "one").rglob("*") if path.is_file()}
    assert listed == {path for path in held if path != "model.sig" and not path.startswith("attestations/")}


def test_two_seals_are_told_apart(held):
    assert seal_differences(held / "one", held / "one", key=held / "key.pub") == ()
    found = {
        (each.about, each.name): (each.first, each.second) for each in seal_differences(held / "one", held / "two")
    }
    assert found["order", "chain"] == ("earlier", "later")
    assert ("file", "model.safetensors") in found and ("file", "report.html") not in found
    assert found["measurement", "accuracy"] == ("0.7", "0.5")
    assert found["measurement", "gap"] == ("not known", "not measured")
    (held / "two" / "a.b").write_bytes(b"1")
    with pytest.raises(ChangedError, match="compare unchanged seals"):
        seal_differences(held / "one", held / "two")


def test_a_key_is_kept_for_its_owner_alone_and_never_shows(tmp_path):
    public = make_key(tmp_path / "deep" / "key")
    path = tmp_path / "deep" / "key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_public_key(f"{path}.pub").fingerprint == public.fingerprint
    private = read_private_key(path)
    assert "0x" not in repr(private) and "BEGIN" not in repr(private)
    with pytest.raises(SealError, match="a key is never overwritten"):
        make_key(path)
    path.chmod(0o640)
    with pytest.raises(SealError, match="others can read it, its mode is 0640; expected 0600"):
        read_private_key(path)


def test_an_encrypted_key_needs_its_passphrase(tmp_path, monkeypatch):
    monkeypatch.delenv(PASSPHRASE, raising=False)
    make_key(tmp_path / "key", passphrase="a b")
    assert b"ENCRYPTED" in (tmp_path / "key").read_bytes()
    with pytest.raises(SealError, match=f"set {PASSPHRASE}"):
        read_private_key(tmp_path / "key")
    for ask in (lambda: "wrong", lambda: "x" * 5000):
        with pytest.raises(SealError, match="the passphrase is wrong") as error:
            read_private_key(tmp_path / "key", ask=ask)
        assert "wrong, or it" in str(error.value) and error.value.__cause__ is None
    assert read_private_key(tmp_path / "key", ask=lambda: "a b").public
    monkeypatch.setenv(PASSPHRASE, "a b")
    seal({}, tmp_path / "sealed", signing=tmp_path / "key")
    assert verify(tmp_path / "sealed", key=tmp_path / "key.pub").ok


def test_what_is_no_key_of_the_curve_is_refused(tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    make_key(tmp_path / "key")
    with pytest.raises(SealError, match="is a private key; expected the public one"):
        read_public_key(tmp_path / "key")
    other = ec.generate_private_key(ec.SECP384R1())
    how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "larger").write_bytes(other.private_bytes(*how))
    (tmp_path / "larger").chmod(0o600)
    with pytest.raises(SealError, match="no key of the curve P-256"):
        read_private_key(tmp_path / "larger")
    (tmp_path / "junk").write_bytes(b"junk")
    (tmp_path / "junk").chmod(0o600)
    for read in (read_private_key, read_public_key):
        with pytest.raises(SealError, match=r"is no PEM file of a"):
            read(tmp_path / "junk")
        with pytest.raises(SealError, match="No such file"):
            read(tmp_path / "missing")


def test_without_the_package_one_line_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives", None)
    for call in (lambda: make_key(tmp_path / "key"), lambda: seal({}, tmp_path / "sealed", signing=tmp_path / "key")):
        with pytest.raises(SealError, match=r"pip install 'corrigible\[seal\]'"):
            call()
    assert list(tmp_path.iterdir()) == []
    seal({}, tmp_path / "sealed")
    assert verify(tmp_path / "sealed").ok
