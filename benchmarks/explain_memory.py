"""What explaining a whole data set takes of memory: peak of a process of its own for each number of rows and steps.

    python benchmarks/explain_memory.py

Integrated gradients of an MLP with 100 inputs, one thread, rows made when they are asked for, written as shards of
16 MiB at most. Writes benchmarks/results/explain_memory.json.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import torch
from results import write
from torch import Tensor

from corrigible.explanations.shards import explain_all
from corrigible.models import mlp

INPUTS, HIDDEN = 100, (16,)
ROWS, STEPS = (1_000, 100_000), (50, 500)


class Rows:
    """Made from their number, so that none need be held."""

    def __init__(self, num_rows: int) -> None:
        self.num_rows = num_rows

    def __len__(self) -> int:
        return self.num_rows

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.arange(row, row + INPUTS).float().sin(), 0


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measured(*map(int, sys.argv[1:]))))
        return
    rows = [in_a_process_of_its_own(num_rows, steps) for steps in STEPS for num_rows in ROWS]
    ratios = {f"{steps} steps": _ratio([r for r in rows if r["steps"] == steps]) for steps in STEPS}
    settings = {"inputs": INPUTS, "hidden": HIDDEN, "threads": 1}
    write("explain_memory", {**settings, "rows": rows, "ratio_of_peaks": ratios})


def in_a_process_of_its_own(num_rows: int, steps: int) -> dict[str, Any]:
    command = [sys.executable, __file__, str(num_rows), str(steps)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(found, flush=True)
    return found


def measured(num_rows: int, steps: int) -> dict[str, Any]:
    """Peak resident memory in MiB: before anything is explained, and of all of it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = mlp(INPUTS, 2, hidden=HIDDEN)
    before, started = peak(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for _ in explain_all(model, Rows(num_rows), folder, method="integrated_gradients", steps=steps):
            pass
    seconds = time.perf_counter() - started
    numbers = {"before_mib": before, "peak_mib": peak(), "seconds": round(seconds, 1)}
    return {"num_rows": num_rows, "steps": steps, **numbers}


def peak() -> float:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (2**20 if sys.platform == "darwin" else 2**10), 1)


def _ratio(rows: list[dict[str, Any]]) -> float:
    few, many = (next(r["peak_mib"] for r in rows if r["num_rows"] == num_rows) for num_rows in ROWS)
    return round(many / few, 3)


if __name__ == "__main__":
    main()
