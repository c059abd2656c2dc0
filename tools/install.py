"""Create .venv and install the project with what a level needs; does nothing where that is installed already.

    python tools/install.py demo | test | dev | bench

`demo` is what the demos need, `test` also what the tests need, `dev` also the tools of `make check`, and `bench` the
libraries that the benchmarks compare with.

Standard library only: it runs on a bare Python 3.11. The lock leaves torch out, because the right build of torch
depends on the machine; here the CPU build is taken from PIP_FIND_LINKS if it lies there, else from PyTorch's own index.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
TORCH = "2.13.0"
UV = "0.13.9"
LOCKS = ROOT / "locks"
LEVELS = {
    "demo": ("build", "demo"),
    "test": ("build", "demo", "parquet", "peers", "privacy", "seal", "test", "trees"),
    "dev": ("dev",),
}
"""The extras of each level; a level includes those before it."""
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def run(*command: str) -> bool:
    return subprocess.run(command, cwd=ROOT).returncode == 0


def quietly(*command: str) -> bool:
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def wanted() -> str:
    """Hash of everything that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (*sorted(LOCKS.iterdir()), ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def installed_levels() -> list[str]:
    """The levels that are installed as they are now."""
    stamp = STAMP.read_text().split() if STAMP.exists() else []
    return stamp[1:] if stamp[:1] == [wanted()] else []


def installer() -> list[str]:
    """uv where pip can install it (several times faster), else pip."""
    if quietly(str(PYTHON), "-m", "pip", "install", f"uv=={UV}"):
        return [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON)]
    return [str(PYTHON), "-m", "pip", "install"]


def install_torch(install: list[str]) -> bool:
    if sys.platform != "linux":
        return run(*install, "--no-deps", f"torch=={TORCH}")  # PyPI's wheels are CPU builds there
    requirement = f"torch=={TORCH}+cpu"
    links = [part for place in os.environ.get("PIP_FIND_LINKS", "").split() for part in ("--find-links", place)]
    if links and run(*install, "--no-deps", *links, requirement):
        return True
    return run(*install, "--no-deps", "--index-url", CPU_INDEX, requirement)


def main() -> int:
    asked = sys.argv[1] if len(sys.argv) > 1 else "dev"
    if asked not in (*LEVELS, "bench"):
        print(f"found {asked!r}, expected one of {', '.join(LEVELS)}, bench", file=sys.stderr)
        return 2
    failed = install_project("dev" if asked == "bench" else asked)
    if failed or asked != "bench":
        return failed
    torch = f"torch=={TORCH}" + ("+cpu" if sys.platform == "linux" else "")
    return 0 if run(*installer(), "-e", ".[bench]", torch) else 1


def install_project(level: str) -> int:
    if sys.version_info < (3, 11):
        print(
            f"found Python {sys.version.split()[0]}, need 3.11 or newer: set PYTHON=/path/to/python3.11",
            file=sys.stderr,
        )
        return 1
    levels = list(LEVELS)[: list(LEVELS).index(level) + 1]
    if level in installed_levels():
        return 0
    print(f"Installing what {level} needs into .venv (once; later runs skip this) …", flush=True)
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists() and not run(sys.executable, "-m", "venv", str(VENV)):
        return 1
    install = installer()
    if not install_torch(install):
        print(
            f"could not install torch {TORCH} (CPU): put its wheel in a folder and set PIP_FIND_LINKS to it",
            file=sys.stderr,
        )
        return 1
    locks = [part for name in levels for part in ("-r", str(LOCKS / f"{name}.txt"))]
    if not run(*install, "--no-deps", "--require-hashes", *locks) or not run(
        *install, "--no-deps", "--no-build-isolation", "-e", "."
    ):
        return 1
    STAMP.write_text(" ".join([wanted(), *levels]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
