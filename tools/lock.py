"""Resolve every dependency but torch into locks/. Run by hand when pyproject.toml changes; needs uv.

What is locked keeps its version where that still fits; without locks/ all are the newest. A package stands in the lock
of the first level that needs it, and a level is installed with all before it (install.py).
"""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from install import LEVELS, LOCKS, ROOT, TORCH

UV = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", "--generate-hashes"]
QUIET = ["--no-emit-package", "torch", "--no-emit-package", "corrigible", "--no-header", "--no-annotate", "--quiet"]


def main() -> int:
    LOCKS.mkdir(exist_ok=True)
    known = "".join(path.read_text(encoding="utf-8") for path in sorted(LOCKS.iterdir()))
    whole = resolved(list(LEVELS)[-1], known)
    seen: set[str] = set()
    for level in LEVELS:
        names = set(resolved(level, "".join(whole.values()))) - seen
        seen |= names
        (LOCKS / f"{level}.txt").write_text("".join(whole[name] for name in sorted(names)), encoding="utf-8")
    return 0


def resolved(level: str, known: str) -> dict[str, str]:
    """Each package that the level needs, with its lines of a lock: one for each version, where Pythons differ."""
    links = [part for place in os.environ.get("PIP_FIND_LINKS", "").split() for part in ("--find-links", place)]
    extras = [part for extra in LEVELS[level] for part in ("--extra", extra)]
    with TemporaryDirectory() as folder:
        written, torch = Path(folder) / "lock.txt", Path(folder) / "torch.txt"
        written.write_text(known, encoding="utf-8")  # uv keeps the versions that it finds there.
        torch.write_text(f"torch=={TORCH}+cpu\n", encoding="utf-8")
        command = [*UV, *QUIET, *extras, "--constraint", str(torch), *links, "--output-file", str(written)]
        subprocess.run(command, cwd=ROOT, check=True)
        text = written.read_text(encoding="utf-8")
    found: dict[str, str] = defaultdict(str)
    for entry in re.findall(r"^[\w.-]+==.*(?:\n +.*)*\n", text, flags=re.M):
        found[entry.partition("==")[0]] += entry
    return found


if __name__ == "__main__":
    sys.exit(main())
