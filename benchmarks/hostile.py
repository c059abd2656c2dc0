"""Does any input end in a traceback, use more than 2 GB or 20 s of processor time, or wait for two minutes?

    python benchmarks/hostile.py [--seeds 15] [--resume]

Each input is changed at random or made by hand, and given to the command line or to a function in a process of its own,
a fork of one in which everything is imported. It holds where the answer is a result, or a refusal in one line: on the
command line ``error: …`` with exit code 1, or 2 for usage; in Python a CorrigibleError, TypeError or ValueError.
Writes benchmarks/results/hostile.json, and each input that does not hold to the terminal.
"""

import math
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from hostile_answers import OUTCOMES
from hostile_inputs import FAMILIES, IMAGES, TABLE, finished
from runner import Row, measure, options, units_of

SECONDS, WAITED, BYTES, PER_UNIT = 20, 120, 2 << 30, 20


def main() -> None:
    asked = options(__doc__, seeds=15).parse_args()
    families = {name: partial(tried, name) for name in FAMILIES}
    settings = {"seconds": SECONDS, "waited": WAITED, "bytes": BYTES, "inputs_per_seed": PER_UNIT}
    measure(units_of(families, asked), asked, settings=settings)


def tried(family: str, seed: int) -> Iterator[Row]:
    """How many inputs of one family and seed came out how."""
    finished(TABLE), finished(IMAGES)
    came: Counter[str] = Counter()
    for number in range(PER_UNIT):
        outcome, said = came_out(family, 1000 * seed + number)
        came[outcome] += 1
        if outcome not in ("answered", "refused"):
            print(f"    {family} {1000 * seed + number}: {outcome}: {said[-600:]}", flush=True)
    yield Row({"family": family}, {"inputs": PER_UNIT, **{name: came[name] for name in OUTCOMES}})


def came_out(family: str, number: int) -> tuple[str, str]:
    """The outcome of one input in a process of its own, and what was printed."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    child = os.fork()
    if not child:
        _end(folder, family, Random(f"{family} {number}"))
    started, ended, status = time.monotonic(), 0, 0
    while not ended and time.monotonic() - started < WAITED:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.005)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    report = folder / "report"
    outcome, _, said = report.read_text(errors="replace").partition("\n") if report.exists() else ("limit", "", "")
    shutil.rmtree(folder, ignore_errors=True)
    return outcome, said or f"status {status}, {time.monotonic() - started:.0f} s"


def _end(folder: Path, family: str, chance: Random) -> None:
    """Try the input, write down what came of it, and end this process."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    call = FAMILIES[family](chance, folder)
    used = math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + SECONDS, used + SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, resource.RLIM_INFINITY))
    outcome, said = call()
    (folder / "report").write_text(f"{outcome}\n{said}", errors="replace")
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
