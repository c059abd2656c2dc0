"""Keys with which seals are signed: elliptic curve P-256, in PEM files.

They need the package cryptography, an optional dependency: ``pip install 'corrigible[seal]'``. A private key is kept in
a file that its owner alone can read, encrypted where there is a passphrase. A public key is known by its fingerprint,
the SHA-256 of its PEM text, as in the format of OpenSSF Model Signing.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corrigible.errors import SealError
from corrigible.files import read_bytes, refusal
from corrigible.folders import write_atomically, writing_in

PASSPHRASE = "CORRIGIBLE_KEY_PASSPHRASE"
"""Environment variable with the passphrase of a private key."""
_MOST_KEY = 16 * 1024
_HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2
"""Half of the order of P-256: of the two signatures s and order − s, the smaller is written, so that there is one."""


@dataclass(frozen=True)
class PublicKey:
    """A key with which signatures are checked."""

    fingerprint: str
    """SHA-256 of its PEM text."""
    key: Any = field(repr=False)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message was made with the private key that belongs to this one."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            self.key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class PrivateKey:
    """A key with which seals are signed; what it is never shows."""

    public: PublicKey
    key: Any = field(repr=False)

    def signature_of(self, message: bytes) -> bytes:
        """A signature over the message, in DER form, with the smaller of the two possible numbers s."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        order = self.key.curve.group_order
        return utils.encode_dss_signature(r, min(s, order - s))


def is_normal(signature: bytes) -> bool:
    """Whether the signature is in the one form that `PrivateKey.signature_of` writes."""
    from cryptography.hazmat.primitives.asymmetric import utils

    try:
        r, s = utils.decode_dss_signature(signature)
    except ValueError:
        return False
    return s <= _HALF_ORDER and utils.encode_dss_signature(r, s) == signature


def make_key(path: str | Path, *, passphrase: str | None = None) -> PublicKey:
    """Make a key: write the private one to this path, the public one beside it with ``.pub``; return the public one.

    The private key's file has mode 0600, and is encrypted if there is a passphrase.

    Raises:
        SealError: a file of one of the two names exists, or the package cryptography is missing.
        StudyError: the folder cannot be written to.
    """
    path, public_path = Path(path), Path(f"{path}.pub")
    for taken in (path, public_path):
        if os.path.lexists(taken):
            raise SealError(f"{taken} exists; a key is never overwritten: choose another name")
    ec, serialization = _cryptography()
    key = ec.generate_private_key(ec.SECP256R1())
    how = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    with writing_in(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    write_atomically(public_path, _pem_of(key.public_key()))
    return _public(key.public_key())


def read_private_key(path: str | Path, *, ask: Callable[[], str] | None = None) -> PrivateKey:
    """The private key in the file.

    The passphrase of an encrypted one is taken from the environment variable ``CORRIGIBLE_KEY_PASSPHRASE``, or asked
    for.

    Raises:
        SealError: no such file, others can read it, it holds no private key of P-256, the passphrase is wrong, or the
            package cryptography is missing.
    """
    ec, serialization = _cryptography()
    path = Path(path)
    try:
        pem = read_bytes(path, most=_MOST_KEY)
        mode = path.stat().st_mode & 0o777
        if b"PUBLIC KEY" in pem:
            raise refusal("it is a public key, for verify; expected the private one that keygen made beside it")
        if os.name == "posix" and mode & 0o077:
            raise refusal(f"others can read it, its mode is {mode:04o}; expected 0600: chmod 600 it")
    except OSError as error:
        raise SealError(f"cannot use the private key {path} ({error.strerror})") from error
    passphrase = None
    if b"ENCRYPTED" in pem:
        said = os.environ.get(PASSPHRASE) or (ask() if ask else "")
        if not said:
            raise SealError(f"{path} is encrypted; set {PASSPHRASE} to its passphrase")
        passphrase = said.encode()
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError):
        # Not chained: what the package says may hold parts of the file.
        what = "the passphrase is wrong, or it" if passphrase else "it"
        raise SealError(f"cannot use the private key {path}: {what} is no PEM file of a private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise SealError(f"{path} is no key of the curve P-256; make one with `corrigible keygen`")
    return PrivateKey(_public(key.public_key()), key)


def read_public_key(path: str | Path) -> PublicKey:
    """The public key in the file.

    Raises:
        SealError: no such file, it holds no public key of P-256, or the package cryptography is missing.
    """
    ec, serialization = _cryptography()
    try:
        pem = read_bytes(Path(path), most=_MOST_KEY)
    except OSError as error:
        raise SealError(f"cannot read the public key {path} ({error.strerror})") from error
    if b"PRIVATE KEY" in pem:
        raise SealError(f"{path} is a private key; expected the public one, which `corrigible keygen` wrote as .pub")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError):
        raise SealError(f"{path} is no PEM file of a public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise SealError(f"{path} is no key of the curve P-256; expected the .pub file of `corrigible keygen`")
    return _public(key)


def read_pinned_key(path: str | Path, folder: Path) -> PublicKey:
    """The public key in the file, which must not lie in the folder that is checked with it.

    Raises:
        SealError: it lies there, or as `read_public_key`.
    """
    if Path(path).resolve().is_relative_to(folder.resolve()):
        raise SealError(f"the key {path} lies in {folder}, which it should vouch for; use the signer's, from elsewhere")
    return read_public_key(path)


def _public(key: Any) -> PublicKey:
    return PublicKey(hashlib.sha256(_pem_of(key)).hexdigest(), key)


def _pem_of(key: Any) -> bytes:
    _, serialization = _cryptography()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = key.public_bytes(encoding, form)
    return pem


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise SealError(
            "signatures need cryptography, which is not installed; pip install 'corrigible[seal]'"
        ) from error
    return ec, serialization
