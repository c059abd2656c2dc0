"""What exact counterfactuals of trees, forests and boosting cost, and how many are proved.

    python benchmarks/tree_counterfactuals.py

Processor time of one thread for each row, of 50 test rows of each table and seed that are asked together, and the most
for one that is asked alone, where reading the ensemble is included. With them the length of the change over that to the
nearest training row with the wanted answer, and of three rows the time of the mixed-integer program over that of branch
and bound. Writes benchmarks/results/tree_counterfactuals.json.
"""

import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import table_data
import torch
from numpy.typing import NDArray
from runner import Row, measure, options, units_of
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from corrigible.data.table import encode, encoder_of
from corrigible.explanations.counterfactuals import (
    Immutable,
    Monotone,
    Schema,
    schema_of,
    tree_counterfactuals,
)

TABLES = ("adult", "compas", "german")
NUM_ROWS, BY_PROGRAM, TIMEOUT_SECONDS = 50, 3, 60
MODELS = {
    "tree, depth 8": lambda seed: DecisionTreeClassifier(max_depth=8, random_state=seed),
    "forest, 20 of depth 5": lambda seed: RandomForestClassifier(20, max_depth=5, random_state=seed),
    "boosting, 100 of depth 3": lambda seed: GradientBoostingClassifier(
        n_estimators=100, max_depth=3, random_state=seed
    ),
    "histograms, 100 of depth 3": lambda seed: HistGradientBoostingClassifier(
        max_iter=100, max_depth=3, early_stopping=False, random_state=seed
    ),
}
CONSTRAINTS = {
    "adult": [
        *map(Immutable, ("race", "sex", "native-country")),
        Monotone("age", "up"),
        Monotone("education-num", "up"),
    ],
    "compas": [*map(Immutable, ("race", "sex", "priors_count")), Monotone("age", "up")],
    "german": [],
}


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {"rows": NUM_ROWS, "rows by program": BY_PROGRAM, "timeout_seconds": TIMEOUT_SECONDS, "threads": 1}
    measure(units_of({name: partial(measured, name) for name in TABLES}, asked), asked, settings=settings)


def measured(name: str, seed: int) -> Iterator[Row]:
    """One row for each model, without and with constraints."""
    table = getattr(table_data, name)(seed)
    label = "answer"
    frame = table.x.assign(**{label: table.y.astype(int)})
    encoder = encoder_of(frame, target=label)
    x = encode(frame, encoder).x
    tests = encode(table.test_x.assign(**{label: table.test_y.astype(int)}), encoder).x
    schema = schema_of(encoder, x)
    chosen = tests[np.random.default_rng(seed).permutation(len(tests))[:NUM_ROWS]]
    for kind, model_of in MODELS.items():
        model = model_of(seed).fit(x.numpy(), table.y.astype(int))
        for constraints in ([], CONSTRAINTS[name]) if CONSTRAINTS[name] else ([],):
            labels = {"table": name, "model": kind, "constraints": len(constraints)}
            yield Row(labels, numbers(model, x, chosen, schema, constraints, by_program=not kind.startswith("tree")))


def numbers(
    model: Any, x: torch.Tensor, rows: torch.Tensor, schema: Schema, constraints: list[Any], *, by_program: bool
) -> dict[str, float]:
    asked = {"schema": schema, "constraints": constraints, "timeout_seconds": TIMEOUT_SECONDS}
    started = time.process_time()
    found = tree_counterfactuals(model, rows, **asked)
    seconds = [time.process_time() - started, *(timed(model, row, **asked) for row in rows.split(1))]
    is_found = np.array(found.status) == "found"
    measured = {
        "milliseconds": 1000 * seconds[0] / len(rows),
        "most milliseconds": 1000 * max(seconds[1:]),
        "proven": float(found.is_proven.mean()),
        "found": float(is_found.mean()),
        "changes": statistics.mean(len(found.changes(row)) for row in np.flatnonzero(is_found)),
    }
    if not constraints:
        nearest = nearest_cost(model, x, rows, schema)
        measured["cost over nearest row"] = float(np.median(found.cost.numpy()[is_found] / nearest[is_found]))
    if by_program:
        started = time.process_time()
        other = tree_counterfactuals(model, rows[:BY_PROGRAM], **asked, method="program")
        measured["program over branching"] = (time.process_time() - started) / sum(seconds[1 : BY_PROGRAM + 1])
        measured["program proven"] = float(other.is_proven.mean())
        both = np.nan_to_num(torch.stack([other.cost, found.cost[:BY_PROGRAM]]).numpy(), nan=-1.0)[:, other.is_proven]
        measured["program agrees"] = float((np.abs(both[0] - both[1]) < 1e-5).mean())
    return measured


def timed(model: Any, row: torch.Tensor, **asked: Any) -> float:
    started = time.process_time()
    tree_counterfactuals(model, row, **asked)
    return time.process_time() - started


def nearest_cost(model: Any, x: torch.Tensor, rows: torch.Tensor, schema: Schema) -> NDArray[np.float64]:
    """What it costs to become the nearest training row with the other answer."""
    values, predicted = schema.values(x), model.predict(x.numpy())
    is_category = np.array([one.is_category for one in schema.features])
    mads = np.array([one.mad for one in schema.features])
    found = []
    for before, answer in zip(schema.values(rows), model.predict(rows.numpy()), strict=True):
        others = values[predicted != answer]
        differs = (others != before) & ~(np.isnan(others) & np.isnan(before))
        away = np.where(
            is_category, differs, np.where(np.isnan(others - before), differs, np.abs(others - before) / mads)
        )
        found.append(away.sum(axis=1).min())
    return np.array(found)


if __name__ == "__main__":
    main()
