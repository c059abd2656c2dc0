"""Seal a model with its measurements in a folder, and check later whether anything in that folder has changed.

The folder holds ``model.safetensors``, ``measurements.json``, ``sealed.json`` (when, by which version, after which
seals, and by whom it was signed), any other files given, and ``manifest.json``, which follows from them. The manifest's
root is one hash over all files: to publish it fixes every byte of them. A seal that is made with a key also holds

* ``model.sig``: the list of all these files, signed, in the format of OpenSSF Model Signing;
* ``attestations/0001/evidence.sig`` and further ones: what is known of how the model was made and measured, signed.

Each name is loaded when it is first used, because checking a seal needs no PyTorch, and unsigned seals no cryptography.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corrigible.sealing.attesting import attest as attest
    from corrigible.sealing.checking import compared as compared
    from corrigible.sealing.checking import verify as verify
    from corrigible.sealing.comparing import SealDifference as SealDifference
    from corrigible.sealing.comparing import seal_differences as seal_differences
    from corrigible.sealing.evidence import Provenance as Provenance
    from corrigible.sealing.keys import make_key as make_key
    from corrigible.sealing.problems import Problem as Problem
    from corrigible.sealing.problems import Verification as Verification
    from corrigible.sealing.writing import WEIGHTS as WEIGHTS
    from corrigible.sealing.writing import Signing as Signing
    from corrigible.sealing.writing import seal as seal

_HOME = {
    "attest": "attesting",
    "Provenance": "evidence",
    "make_key": "keys",
    "Problem": "problems",
    "Verification": "problems",
    "WEIGHTS": "writing",
    "Signing": "writing",
    "seal": "writing",
    "SealDifference": "comparing",
    "seal_differences": "comparing",
    "compared": "checking",
    "verify": "checking",
}


if not TYPE_CHECKING:  # which would take any name for one that is here

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
