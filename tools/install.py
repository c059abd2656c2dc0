"""Create .venv and install the project with its development tools; does nothing when the lock has not changed.

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
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def run(*command: str) -> bool:
    return subprocess.run(command, cwd=ROOT).returncode == 0


def quietly(*command: str) -> bool:
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def wanted() -> str:
    """Hash of everything that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.lock", "pyproject.toml", "tools/install.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


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
    """Install what development needs; with ``bench`` also the libraries that the benchmarks compare with."""
    failed = install_project()
    if failed or sys.argv[1:] != ["bench"]:
        return failed
    torch = f"torch=={TORCH}" + ("+cpu" if sys.platform == "linux" else "")
    return 0 if run(*installer(), "-e", ".[bench]", torch) else 1


def install_project() -> int:
    if sys.version_info < (3, 11):
        print(
            f"found Python {sys.version.split()[0]}, need 3.11 or newer: set PYTHON=/path/to/python3.11",
            file=sys.stderr,
        )
        return 1
    if STAMP.exists() and STAMP.read_text() == wanted():
        return 0
    print("Installing into .venv (once; later runs skip this) …", flush=True)
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
    lock = run(*install, "--no-deps", "--require-hashes", "-r", "requirements.lock")
    if not lock or not run(*install, "--no-deps", "--no-build-isolation", "-e", "."):
        return 1
    STAMP.write_text(wanted())
    return 0


if __name__ == "__main__":
    sys.exit(main())
