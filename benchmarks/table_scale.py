"""What does it take to read a large table: memory over its float32 data, and time over pandas' own reading?

    python benchmarks/table_scale.py [--cases NAME…] [--resume]

Tables of numbers with six decimals (one has gaps and categories too), written once to a temporary folder. Each reading
runs in a process of its own, which imports everything first: its peak is the largest resident size less that before the
reading. Pandas' own reading is ``pandas.read_csv`` in its default settings. "train" learns how the table is read;
"kept" reads it with what was kept beside it; "rule" adds feedback about one column, which reads no table.
Writes benchmarks/results/table_scale.json.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from runner import Row, Unit, measure, options

SIZES = {"1,000,000 × 50 numbers": (1_000_000, 50, 0), "200,000 × 50, 5 of categories": (200_000, 50, 5)}
WRITTEN_AT_ONCE = 50_000
READINGS = {
    "pandas": "import pandas; pandas.read_csv(sys.argv[1] + '/train.csv')",
    "train": "rows = load_table(Path(sys.argv[1]), 'train', target='y')",
    "kept": "rows = load_table(Path(sys.argv[1]), 'train', target='y')",
}
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
import pandas
from corrigible.data.tablefile import load_table
def size(name):
    lines = open('/proc/self/status').read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024
before, started = size('VmRSS'), time.process_time()
{reading}
seconds = time.process_time() - started
width = rows.x.shape[1] if 'rows' in dir() else 0
print(json.dumps({{"seconds": seconds, "bytes": size('VmHWM') - before, "width": width}}))
"""


def main() -> None:
    asked = options(__doc__).parse_args()
    units = [Unit(name, partial(read, name, *size)) for name, size in SIZES.items()]
    measure(units, asked, settings={"sizes": {name: list(size) for name, size in SIZES.items()}})


def read(name: str, rows: int, columns: int, categories: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "train.csv"), rows, columns, categories)
        seconds = {}
        for reading, code in READINGS.items():
            found = in_a_process(PROGRAM.format(reading=code), folder)
            seconds[reading] = found["seconds"]
            data = 4 * rows * (found["width"] or columns)
            over = {"memory over float32 data": found["bytes"] / data, "seconds": found["seconds"]}
            yield Row(
                {"table": name, "reading": reading}, {**over, "time over pandas": found["seconds"] / seconds["pandas"]}
            )


def in_a_process(program: str, folder: str) -> dict[str, float]:
    ended = subprocess.run([sys.executable, "-c", program, folder], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def write(path: Path, rows: int, columns: int, categories: int) -> None:
    """A table whose first columns are categories, with a hundredth of the cells of others empty if there are any."""
    chance = np.random.default_rng(1)
    names = [f"c{place}" for place in range(columns)]
    for start in range(0, rows, WRITTEN_AT_ONCE):
        values = chance.normal(size=(WRITTEN_AT_ONCE, columns))
        if categories:
            values[chance.random(values.shape) < 0.01] = np.nan
        frame = pd.DataFrame(values, columns=names)
        for name in names[:categories]:
            frame[name] = chance.choice(["red", "green", "blue", "no, none", ""], WRITTEN_AT_ONCE)
        frame["y"] = chance.integers(0, 2, WRITTEN_AT_ONCE)
        frame.to_csv(path, mode="a", header=start == 0, index=False, float_format="%.6f")


if __name__ == "__main__":
    main()
