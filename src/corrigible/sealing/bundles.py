"""A signed statement as a file: a Sigstore bundle, which holds a DSSE envelope.

The signature covers the statement's bytes and their type, never the JSON around them; see the protocol of DSSE
(https://github.com/secure-systems-lab/dsse) and sigstore_bundle.proto, version 0.3. What is not signed has one form
here: the file must be byte for byte what `bundle_as_bytes` writes, or else carry the other spelling of JSON only.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corrigible.errors import SealError
from corrigible.files import MOST_RECORD, read_bytes
from corrigible.sealing.keys import PrivateKey
from corrigible.strict_json import described, parse

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Bundle:
    """A signed statement, as it was read."""

    payload: bytes
    """The statement."""
    signature: bytes
    fingerprint: str
    """Of the public key that it says it was signed with."""
    is_canonical: bool = True
    """Whether the file holds exactly the bytes of `bundle_as_bytes`."""

    @property
    def signed(self) -> bytes:
        """What the signature covers: DSSE's pre-authentication encoding of the payload."""
        return _encoded(self.payload)


def signed_bundle(payload: bytes, key: PrivateKey) -> bytes:
    """The file of this statement, signed with the key."""
    return bundle_as_bytes(Bundle(payload, key.signature_of(_encoded(payload)), key.public.fingerprint))


def bundle_as_bytes(bundle: Bundle) -> bytes:
    """The content of the file."""
    envelope = {
        "payload": base64.b64encode(bundle.payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": base64.b64encode(bundle.signature).decode(), "keyid": ""}],
    }
    material = {"publicKey": {"hint": bundle.fingerprint}, "tlogEntries": []}
    written = {"mediaType": MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}
    return (json.dumps(written, indent=1) + "\n").encode()


def read_bundle(path: Path) -> Bundle:
    """The signed statement in the file; its signature is not checked.

    Raises:
        SealError: no such file, or it is no bundle of one statement that is signed with a key.
    """
    try:
        data = read_bytes(path, most=MOST_RECORD, follow_links=False)
        payload, signature, fingerprint = _read(parse(data.decode()))
    except OSError as error:
        raise SealError(f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SealError(f"is no signed statement: {error}") from error
    found = Bundle(payload, signature, fingerprint)
    return Bundle(payload, signature, fingerprint, is_canonical=data == bundle_as_bytes(found))


def _read(whole: Any) -> tuple[bytes, bytes, str]:
    if _member(whole, "mediaType", str) != MEDIA_TYPE:
        raise SealError(f"mediaType is {described(whole['mediaType'])}; expected {MEDIA_TYPE}")
    material = _member(whole, "verificationMaterial", dict)
    if "publicKey" not in material:
        raise SealError("it was not signed with a key of one's own; expected verificationMaterial with a publicKey")
    envelope = _member(whole, "dsseEnvelope", dict)
    if _member(envelope, "payloadType", str) != PAYLOAD_TYPE:
        raise SealError(f"payloadType is {described(envelope['payloadType'])}; expected {PAYLOAD_TYPE}")
    signatures = _member(envelope, "signatures", list)
    if len(signatures) != 1:
        raise SealError(f"it has {len(signatures)} signatures; expected one")
    hint = _member(_member(material, "publicKey", dict), "hint", str)
    return _decoded(envelope, "payload"), _decoded(signatures[0], "sig"), hint


def _member(whole: Any, name: str, kind: type) -> Any:
    if not isinstance(whole, dict) or not isinstance(whole.get(name), kind):
        raise SealError(f"{name} is missing, or of another type than {kind.__name__}")
    return whole[name]


def _decoded(whole: Any, name: str) -> bytes:
    return base64.b64decode(_member(whole, name, str), validate=True)


def _encoded(payload: bytes) -> bytes:
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
