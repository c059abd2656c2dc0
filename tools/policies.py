"""Writes examples/policies: motor policies drawn from a known rate, for docs/how-to/insurance.md.

    python tools/policies.py

Sex raises the rate, and so do age, power, kilometres and the area. Men drive more kilometres, so these tell sex. All
people are invented.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "policies"
ROWS = {"train": 2400, "validation": 600, "test": 1500}
AREAS = {"town": 0.25, "suburb": 0.05, "country": -0.2}


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    for split, text in policies().items():
        (FOLDER / f"{split}.csv").write_text(text, encoding="utf-8")
    return 0


def policies() -> dict[str, str]:
    """The content of each file."""
    rng = np.random.default_rng(0)
    found = {}
    for split, rows in ROWS.items():
        is_man = rng.random(rows) < 0.55
        age = rng.integers(18, 81, rows)
        power = rng.integers(40, 181, rows)
        km = np.round(np.exp(rng.normal(np.where(is_man, 2.7, 2.2), 0.4))).astype(int)
        area = rng.choice(list(AREAS), rows, p=(0.4, 0.35, 0.25))
        years = np.round(rng.uniform(0.1, 1.0, rows), 2)
        by_age = 1.2 * np.exp(-(age - 18) / 10) + 0.005 * (age - 18)
        rate = np.exp(-1.8 + 0.5 * is_man + by_age + 0.008 * (power - 40) + 0.03 * km + np.vectorize(AREAS.get)(area))
        claims = rng.poisson(rate * years)
        sex = np.where(is_man, "man", "woman")
        columns = {"sex": sex, "age": age, "power": power, "km": km, "area": area, "years": years, "claims": claims}
        found[split] = pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")
    return found


if __name__ == "__main__":
    sys.exit(main())
