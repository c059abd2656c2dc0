"""Explanations beside captum, shap and lime: time as a ratio within one run, and how far the results agree.

    pip install -e ".[bench]"
    python benchmarks/explain.py            # everything; --cases lime table: some of it

One thread, equal settings. A trained MLP with 100 features explains 2,000 rows, a trained LeNet 256 digits. A peer that
explains row by row is timed on the first rows, and both times are per row. Where both compute the same thing, agreement
is the largest difference over the largest value, in float64; where both sample, it is a correlation. Writes
benchmarks/results/explain.json.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import torch
from explain_cases import Case, image_cases, table_cases
from explain_proofs import proofs
from runner import Row, Unit, measure, options

FEWEST_REPEATS, SECONDS, MOST_SECONDS = 3, 4.0, 40.0
"""Of one case: as many repeats as take this long, but a few of slow work."""
SHORTEST = 0.1
"""Seconds of one measurement."""


def main() -> None:
    asked = options(__doc__).parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    cases = (*table_cases(), *image_cases())
    units = [*(Unit(case.name, partial(measured, case)) for case in cases), Unit("proofs", proofs)]
    measure(units, asked, settings={"threads": 1})


def measured(case: Case) -> Iterator[Row]:
    """Medians of alternating runs, so that a busy moment of the machine hits both."""
    ours, theirs = [], []
    started = time.perf_counter()
    while not ours or time.perf_counter() - started < (SECONDS if len(ours) >= FEWEST_REPEATS else MOST_SECONDS):
        ours.append(seconds(case.ours))
        theirs.append(seconds(case.theirs) / case.share)
    ratio = statistics.median(theirs) / statistics.median(ours)
    labels = {"case": case.name, "peer": case.peer, "to_reach": case.at_least}
    yield Row(labels, {"times_faster": ratio, "repeats": len(ours), **case.agreement()})


def seconds(work: Callable[[], object]) -> float:
    """The mean of as many calls as take a tenth of a second: no call pays for what the other library did before."""
    number, started = 0, time.perf_counter()
    while not number or time.perf_counter() - started < SHORTEST:
        work()
        number += 1
    return (time.perf_counter() - started) / number


if __name__ == "__main__":
    main()
