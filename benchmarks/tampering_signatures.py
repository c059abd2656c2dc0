"""Kinds of tampering with what is signed: manifest, signature, attestations, and their order in time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from cryptography.hazmat.primitives.asymmetric import utils
from tampering_files import flipped
from tampering_world import Kind, World

from corrigible.manifest import MANIFEST, Manifest, SealedFile, manifest_as_bytes, root_of
from corrigible.sealing import Signing, seal
from corrigible.sealing.attestations import path_of
from corrigible.sealing.bundles import Bundle, bundle_as_bytes, read_bundle, signed_bundle
from corrigible.sealing.contents import contents_of
from corrigible.sealing.keys import read_private_key

SIGNATURE = "model.sig"
NEWEST = 2
"""Number of the newest attestation."""


def swapped_folder(world: World, other: Path) -> None:
    shutil.rmtree(world.folder)
    shutil.copytree(other, world.folder)


def rewritten(world: World, **uncovered: str) -> None:
    """The manifest written anew for the files as they are now."""
    left_out = {MANIFEST, SIGNATURE, "attestations"}
    found = dict(sorted(contents_of(world.folder, left_out=left_out, largest=None).files.items()))
    files = {path: SealedFile(each.sha256, each.num_bytes) for path, each in found.items()}
    (world.folder / MANIFEST).write_bytes(manifest_as_bytes(Manifest(files, root_of(files))))


def edited(world: World, name: str, **changes: Any) -> None:
    whole = json.loads((world.folder / name).read_bytes())
    (world.folder / name).write_text(json.dumps({**whole, **changes}, indent=2))


def forged(change: Callable[[World], Any]) -> Kind:
    """What an attacker does who writes the manifest to match."""
    return lambda world: (change(world), rewritten(world))


def downgraded(world: World) -> None:
    """As if it had never been signed, with other weights."""
    (world.folder / "model.safetensors").write_bytes(
        flipped((world.folder / "model.safetensors").read_bytes(), world.rng)
    )
    edited(world, "sealed.json", signer=None)
    (world.folder / SIGNATURE).unlink()
    shutil.rmtree(world.folder / "attestations")
    rewritten(world)


def sealed_anew(world: World, **signing: Any) -> None:
    """Another seal of other weights, by an attacker's key or by none, with the true history."""
    shutil.rmtree(world.folder)
    seal(
        {"a": torch.ones(7)}, world.folder, files={"notes/a.txt": b"a"}, signing=Signing(parent=world.older, **signing)
    )


def signed(path: str, change: Callable[[World, Bundle], bytes]) -> Kind:
    """What is done to a signed file."""

    def tamper(world: World) -> None:
        file = world.folder / path
        file.write_bytes(change(world, read_bundle(file)))

    return tamper


def _payload(change: Callable[[bytes], bytes]) -> Callable[[World, Bundle], bytes]:
    return lambda world, found: bundle_as_bytes(Bundle(change(found.payload), found.signature, found.fingerprint))


def _other_half(world: World, found: Bundle) -> bytes:
    r, s = utils.decode_dss_signature(found.signature)
    order = read_private_key(world.other_key).key.curve.group_order
    return bundle_as_bytes(Bundle(found.payload, utils.encode_dss_signature(r, order - s), found.fingerprint))


def _by_other_key(world: World, found: Bundle) -> bytes:
    return signed_bundle(found.payload, read_private_key(world.other_key))


def _under_true_name(world: World, found: Bundle) -> bytes:
    """Signed by the attacker, with the fingerprint of the true key."""
    signature = read_private_key(world.other_key).signature_of(found.signed)
    return bundle_as_bytes(Bundle(found.payload, signature, found.fingerprint))


def _of_json(change: Callable[[Any], Any]) -> Callable[[World, Bundle], bytes]:
    def changed(_: World, found: Bundle) -> bytes:
        whole = json.loads(bundle_as_bytes(found))
        change(whole)
        return json.dumps(whole, indent=1).encode() + b"\n"

    return changed


def _better(payload: bytes) -> bytes:
    return payload.replace(b'"value": 0.', b'"value": 1.')


WAYS: dict[str, Callable[[World, Bundle], bytes]] = {
    "signed by another key": _by_other_key,
    "signed by another key under the true name": _under_true_name,
    "the other valid signature": _other_half,
    "no signature": _of_json(lambda whole: whole["dsseEnvelope"].update(signatures=[])),
    "an empty signature": _of_json(lambda whole: whole["dsseEnvelope"]["signatures"][0].update(sig="")),
    "a second signature": _of_json(
        lambda whole: whole["dsseEnvelope"]["signatures"].append({"sig": "AA==", "keyid": ""})
    ),
    "another name of the key": _of_json(lambda whole: whole["verificationMaterial"]["publicKey"].update(hint="0" * 64)),
    "another payload type": _of_json(lambda whole: whole["dsseEnvelope"].update(payloadType="text/plain")),
    "other spacing of the JSON": lambda world, found: json.dumps(json.loads(bundle_as_bytes(found))).encode(),
    "other spacing of the payload": _payload(lambda payload: payload.replace(b": ", b":")),
}
SIGNED: dict[str, Kind] = {
    **{f"signature: {name}": signed(SIGNATURE, change) for name, change in WAYS.items()},
    **{f"attestation: {name}": signed(path_of(NEWEST), change) for name, change in WAYS.items()},
    "signature removed": lambda world: (world.folder / SIGNATURE).unlink(),
    "signature of the seal before": lambda world: shutil.copy(world.older / SIGNATURE, world.folder),
    "signature of a seal beside": lambda world: shutil.copy(world.beside / SIGNATURE, world.folder),
    "manifest forged for other weights": forged(lambda world: (world.folder / "model.safetensors").write_bytes(b"x")),
    "manifest forged for a file less": forged(lambda world: (world.folder / "notes/a.txt").unlink()),
    "manifest forged for a file more": forged(lambda world: (world.folder / "notes/b.txt").write_bytes(b"")),
    "manifest forged for an earlier date": forged(
        lambda world: edited(world, "sealed.json", created="2001-01-01T00:00:00+00:00")
    ),
    "manifest forged for a longer history": forged(
        lambda world: edited(world, "sealed.json", history=[world.rng.randbytes(32).hex() for _ in range(3)])
    ),
    "manifest with another root": lambda world: edited(world, MANIFEST, root="0" * 64),
    "manifest in other spacing": lambda world: (world.folder / MANIFEST).write_text(
        json.dumps(json.loads((world.folder / MANIFEST).read_bytes()))
    ),
    "manifest of version 1": lambda world: edited(world, MANIFEST, version=1, created="", corrigible=""),
    "as if it had not been signed": downgraded,
    "sealed anew without a key": sealed_anew,
    "sealed anew with another key": lambda world: sealed_anew(world, key=world.other_key),
    "measurement edited": signed(path_of(NEWEST), _payload(_better)),
    "report of an attestation edited": lambda world: (
        world.folder / f"attestations/{NEWEST:04d}/report.html"
    ).write_bytes(b"x"),
    "newest attestation removed": lambda world: shutil.rmtree((world.folder / path_of(NEWEST)).parent),
    "first attestation removed": lambda world: shutil.rmtree((world.folder / path_of(1)).parent),
    "all attestations removed": lambda world: shutil.rmtree(world.folder / "attestations"),
    "attestations exchanged": lambda world: _exchanged(world.folder / path_of(1), world.folder / path_of(NEWEST)),
    "first attestation in place of the newest": lambda world: shutil.copy(
        world.folder / path_of(1), world.folder / path_of(NEWEST)
    ),
    "newest attestation repeated": lambda world: shutil.copytree(
        (world.folder / path_of(NEWEST)).parent, world.folder / f"attestations/{NEWEST + 1:04d}"
    ),
    "attestation of the seal before": lambda world: shutil.copy(world.older / path_of(1), world.folder / path_of(1)),
    "attestation of a seal beside, added": lambda world: _added(world, world.beside),
    "the seal before in its place": lambda world: swapped_folder(world, world.older),
    "itself before the newest attestation": lambda world: swapped_folder(world, world.before),
    "a seal beside in its place": lambda world: swapped_folder(world, world.beside),
}


def _exchanged(first: Path, second: Path) -> None:
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)


def _added(world: World, other: Path) -> None:
    target = world.folder / path_of(NEWEST + 1)
    target.parent.mkdir()
    shutil.copy(other / path_of(1), target)
