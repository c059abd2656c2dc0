"""Commands about sealed folders: keygen, seal, attest, verify, diff."""

import os
from pathlib import Path
from typing import Any

import click

from corrigible import workflow
from corrigible.cli_options import JSON, STUDY, Place
from corrigible.terminal import show

PASSPHRASE = "CORRIGIBLE_KEY_PASSPHRASE"
PRIVATE_KEY = "File of the private key that signs, as `corrigible keygen` makes it."
PUBLIC_KEY = click.option(
    "--key", type=Place(dir_okay=False), help="File of the public key that must have signed, from elsewhere."
)
NAME = click.option("--name", default="", help="Name of the sealed folder [default: the run's].")


@click.command()
@click.argument("path", type=Place(dir_okay=False))
@click.option("--passphrase", "is_encrypted", is_flag=True, help=f"Encrypt it; asks, unless {PASSPHRASE} is set.")
@JSON
def keygen(path: Path, is_encrypted: bool, as_json: bool) -> None:
    """Make a key to sign seals with: PATH, for you alone, and PATH.pub, for whoever verifies.

    Keep PATH out of the study. Give PATH.pub, or its SHA-256, to others on another way than the seals.

    Example: corrigible keygen ~/keys/credit
    """
    passphrase = (os.environ.get(PASSPHRASE) or _new_passphrase()) if is_encrypted else None
    show(lambda: workflow.keygen(path, passphrase=passphrase), as_json)


@click.command()
@STUDY
@NAME
@click.option("--anyway", is_flag=True, help="Also a correction whose verdict is failed.")
@click.option("--key", type=Place(dir_okay=False), help=PRIVATE_KEY)
@JSON
def seal(study: Path, as_json: bool, **chosen: Any) -> None:
    """Seal the latest evaluated model with a manifest of hashes, signed where a key is given.

    It makes sealed/NAME with the weights, the measurements, the report and a root hash that fixes every byte. With
    --key also the signature, in the format of OpenSSF Model Signing, and a signed attestation of how it was made.

    Example: corrigible seal credit --name 2026-05 --key ~/keys/credit
    """
    show(lambda: workflow.seal(study, ask=_passphrase, **chosen), as_json)


@click.command()
@STUDY
@NAME
@click.option("--key", type=Place(dir_okay=False), required=True, help=PRIVATE_KEY)
@JSON
def attest(study: Path, as_json: bool, **chosen: Any) -> None:
    """Add the latest evaluation to a signed seal, which stays as it was.

    It makes sealed/NAME/attestations/… with the measurements and the report, signed.

    Example: corrigible attest credit --name 2026-05 --key ~/keys/credit
    """
    show(lambda: workflow.attest(study, ask=_passphrase, **chosen), as_json)


@click.command()
@click.argument("folder", type=Place(file_okay=False))
@click.option("--root", help="Root hash that was quoted for this folder.")
@PUBLIC_KEY
@click.option("--head", help="Hash that was quoted last: finds an older seal or attestation in its place.")
@click.option("--replay", type=Place(file_okay=False), help="Study it was sealed from: measure again on its data.")
@click.option("--tolerance", type=click.FloatRange(0), default=0.001, show_default=True, help="Of --replay.")
@JSON
def verify(folder: Path, as_json: bool, **chosen: Any) -> None:
    """Check a sealed folder, or every run and seal of a study; exit with 1 if anything was changed.

    Without --key or --root, from elsewhere than the folder, it finds accidents, not attackers. --replay runs the code
    that the study's recipe names.

    Example: corrigible verify credit/sealed/2026-05 --key credit.pub --head 3b0e…
    """
    show(lambda: workflow.verify(folder, **chosen), as_json)


@click.command()
@click.argument("first", type=Place(file_okay=False))
@click.argument("second", type=Place(file_okay=False))
@PUBLIC_KEY
@JSON
def diff(first: Path, second: Path, key: Path | None, as_json: bool) -> None:
    """List what two sealed folders say differently: files, measurements, data, feedback, code; nothing if nothing.

    Exit with 1 if one of them is not as it was sealed.

    Example: corrigible diff credit/sealed/2026-04 credit/sealed/2026-05
    """
    show(lambda: workflow.diff(first, second, key=key), as_json)


def _passphrase() -> str:
    answer: str = click.prompt("passphrase of the key", hide_input=True, err=True)
    return answer


def _new_passphrase() -> str:
    answer: str = click.prompt("passphrase of the new key", hide_input=True, confirmation_prompt=True, err=True)
    return answer
