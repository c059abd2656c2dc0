"""What explaining a whole data set takes of memory: peak of a process of its own for each amount of work.

    python benchmarks/explain_memory.py

An MLP with 400 inputs, one thread, rows made when they are asked for, written as shards of 16 MiB at most: integrated
gradients over few and many rows with few and many steps, sampled Shapley values with few and many samples. For
comparison, the same many rows explained at once. Writes benchmarks/results/explain_memory.json.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial

import torch
from runner import Row, Unit, measure, options
from torch import Tensor

from corrigible import explain
from corrigible.explanations.shards import explain_all
from corrigible.models import mlp

INPUTS, HIDDEN = 400, (16,)
CASES = (
    *(("integrated_gradients", rows, "steps", steps) for steps in (50, 500) for rows in (1_000, 100_000)),
    *(("permutation_shapley", 20, "samples", samples) for samples in (2, 200)),
    ("integrated_gradients, all rows at once", 100_000, "steps", 50),
)


class Rows:
    """Made from their number, so that none need be held."""

    def __init__(self, num_rows: int) -> None:
        self.num_rows = num_rows

    def __len__(self) -> int:
        return self.num_rows

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.arange(row, row + INPUTS).float().sin(), 0


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--case-here", type=int, help="measure the case of this number in this process, and print it")
    asked = parser.parse_args()
    if asked.case_here is not None:
        print(json.dumps(measured(*CASES[asked.case_here])))
        return
    units = [
        Unit(f"{work}, {num_rows} rows, {value} {setting}", partial(in_a_process_of_its_own, number))
        for number, (work, num_rows, setting, value) in enumerate(CASES)
    ]
    measure(units, asked, settings={"inputs": INPUTS, "hidden": HIDDEN, "threads": 1})


def in_a_process_of_its_own(number: int) -> Iterator[Row]:
    command = [sys.executable, __file__, "--case-here", str(number)]
    yield Row(*json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def measured(work: str, num_rows: int, setting: str, value: int) -> Row:
    """Peak resident memory in MiB: before anything is explained, and of all of it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = mlp(INPUTS, 2, hidden=HIDDEN)
    method, _, at_once = work.partition(", ")
    before, started = peak(), time.perf_counter()
    if at_once:
        rows = Rows(num_rows)
        explain(model, torch.stack([rows[row][0] for row in range(num_rows)]), 0, method=method, **{setting: value})
    else:
        with tempfile.TemporaryDirectory() as folder:
            for _ in explain_all(model, Rows(num_rows), folder, method=method, **{setting: value}):
                pass
    seconds = time.perf_counter() - started
    numbers = {"before_mib": before, "peak_mib": peak(), "seconds": round(seconds, 1)}
    return Row({"work": work, "num_rows": num_rows, setting: value}, numbers)


def peak() -> float:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (2**20 if sys.platform == "darwin" else 2**10), 1)


if __name__ == "__main__":
    main()
