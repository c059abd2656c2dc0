"""Explanations beside captum, shap and lime: time as a ratio within one run, and how far the results agree.

    pip install -e ".[bench]"
    python benchmarks/explain.py            # everything; words choose cases by their names

One thread, equal settings. A trained MLP with 100 features explains 2,000 rows, a trained LeNet 256 digits. A peer that
explains row by row is timed on the first rows, and both times are per row. Where both compute the same thing, agreement
is the largest difference over the largest value, in float64; where both sample, it is a correlation. Writes
benchmarks/results/explain.json.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from explain_cases import Case, image_cases, table_cases
from explain_proofs import proofs
from results import read, write

FEWEST_REPEATS, SECONDS, MOST_SECONDS = 3, 4.0, 40.0
"""Of one case: as many repeats as take this long, but a few of slow work."""
SHORTEST = 0.1
"""Seconds of one measurement."""


def main(words: list[str]) -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    rows = {row["case"]: row for row in read("explain").get("rows", [])} if words else {}
    for case in (*table_cases(), *image_cases()):
        if not words or any(word in case.name for word in words):
            rows[case.name] = measured(case)
            print(rows[case.name], flush=True)
    proven = read("explain").get("proofs", []) if words else list(proofs())
    write("explain", {"threads": 1, "rows": list(rows.values()), "proofs": proven})


def measured(case: Case) -> dict[str, Any]:
    """Medians of alternating runs, so that a busy moment of the machine hits both."""
    ours, theirs = [], []
    started = time.perf_counter()
    while not ours or time.perf_counter() - started < (SECONDS if len(ours) >= FEWEST_REPEATS else MOST_SECONDS):
        ours.append(seconds(case.ours))
        theirs.append(seconds(case.theirs) / case.share)
    ratio = statistics.median(theirs) / statistics.median(ours)
    return {
        "case": case.name,
        "peer": case.peer,
        "times_faster": ratio,
        "to_reach": case.at_least,
        "repeats": len(ours),
        **case.agreement(),
    }


def seconds(work: Callable[[], object]) -> float:
    """The mean of as many calls as take a tenth of a second: no call pays for what the other library did before."""
    number, started = 0, time.perf_counter()
    while not number or time.perf_counter() - started < SHORTEST:
        work()
        number += 1
    return (time.perf_counter() - started) / number


if __name__ == "__main__":
    main(sys.argv[1:])
