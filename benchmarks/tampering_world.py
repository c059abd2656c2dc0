"""A signed seal to tamper with, and what an attacker may have besides."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class World:
    """A sealed folder to tamper with, and what an attacker may have besides."""

    folder: Path
    older: Path
    """The seal before it, of the same key."""
    before: Path
    """The same seal as it was before the newest attestation."""
    beside: Path
    """Another seal of the same key, which does not follow it."""
    other_key: Path
    rng: random.Random

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def file(self, *, least: int = 2) -> Path:
        """Any file of at least so many bytes."""
        return self.rng.choice([path for path in self.files() if path.stat().st_size >= least])

    def place(self, name: str) -> Path:
        """A free name, in any folder of the seal."""
        folders = [self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())]
        return self.rng.choice(folders) / name


Kind = Callable[[World], Any]
