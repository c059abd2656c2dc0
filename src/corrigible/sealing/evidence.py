"""What is known of how a sealed model was made and measured; see `attestations` for where it is kept."""

import hashlib
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from corrigible import __version__
from corrigible.errors import SealError
from corrigible.types import Measurement


@dataclass(frozen=True)
class Provenance:
    """From what a model was made, as hashes; None for what is not known."""

    data: Mapping[str, str] | None = None
    """SHA-256 by name of file or folder of the data."""
    feedback: Mapping[str, Any] | None = None
    """``revision`` and ``sha256`` of the feedback that was seen."""
    recipe: str | None = None
    """SHA-256 of the recipe."""
    code: Mapping[str, str | None] | None = None
    """SHA-256 of the source file of each function that the recipe names; None for one whose source is not a file."""
    environment: Mapping[str, str] | None = None
    """Versions with which the measurements were made; by default those of now."""


def measurements_as_rows(measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Measurements for JSON, which has no NaN: such numbers become the texts ``nan``, ``inf`` and ``-inf``."""
    for found in measurements:
        if not isinstance(found, Measurement):
            raise SealError(f"evidence holds {found!r}; expected measurements, as `evaluate` gives them")
    return [
        {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in map(asdict, measurements)
    ]


def evidence_of(
    measurements: Sequence[Measurement],
    provenance: Provenance,
    *,
    root: str,
    parent: str | None,
    report: tuple[str, bytes] | None,
) -> dict[str, Any]:
    """The predicate, but for its place in the chain.

    Args:
        parent: root of the seal before it.
        report: path in the sealed folder, and content.
    """
    about = {"path": report[0], "sha256": hashlib.sha256(report[1]).hexdigest()} if report else None
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "root": root,
        "parent": parent,
        "data": provenance.data,
        "feedback": provenance.feedback,
        "recipe": provenance.recipe,
        "code": provenance.code,
        "measurements": measurements_as_rows(measurements) or None,
        "report": about,
        "environment": provenance.environment or environment(),
    }


def environment() -> dict[str, str]:
    """Versions of what a measurement depends on, and the kind of machine."""
    found = {"corrigible": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for package in ("torch", "numpy", "pandas", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
