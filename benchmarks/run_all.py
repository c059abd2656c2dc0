"""Measure every figure in the README again, one benchmark after another, and write the README's tables.

python benchmarks/run_all.py
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CORRECTING = ("step_cost", "insurance", "random_corner", "corner_decoys", "scale", "weights")
EXPLAINING = ("explain", "explanation_quality", "explain_memory", "scaffolding")


def main() -> None:
    for name in CORRECTING + EXPLAINING:
        subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=True)
    subprocess.run([sys.executable, str(FOLDER.parent / "tools" / "documents.py")], check=True)


if __name__ == "__main__":
    main()
