"""Measure every figure in the README again, one benchmark after another, and write the README's tables.

python benchmarks/run_all.py
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CORRECTING = ("step_cost", "insurance", "random_corner", "corner_decoys", "scale", "weights")
ON_OTHER_SEEDS = ("random_corner", "insurance")
EXPLAINING = ("explain", "explanation_quality", "explain_memory", "scaffolding")


def main() -> None:
    commands = [[name] for name in CORRECTING + EXPLAINING] + [[name, "--first-seed", "5"] for name in ON_OTHER_SEEDS]
    for name, *arguments in commands:
        subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), *arguments], check=True)
    subprocess.run([sys.executable, str(FOLDER.parent / "tools" / "documents.py")], check=True)


if __name__ == "__main__":
    main()
