"""Leak suspects and proxies that `corrigible.audit` finds: 20 planted leaks, 60 planted proxies, and clean tables.

    python benchmarks/audit.py [--seeds 5]

Each leak and each proxy is planted in a copy of its own of a real table. Of clean tables, a suspect is a false alarm;
but HMDA's column insurance (denied mortgage insurance) and RAND's spending are natural leaks, counted by themselves.
Settings were fixed on seeds from 100 up. Writes benchmarks/results/audit.json.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
import table_data
from audit_plants import ATTRIBUTES, LEAKS, PROXIES, RIGHT
from numpy.typing import NDArray
from runner import Row, measure, options, units_of

from corrigible.auditing.columns import Column, column_of, columns_in
from corrigible.auditing.leaks import leak_suspects
from corrigible.auditing.outcomes import Outcome, outcome_of
from corrigible.auditing.proxies import proxies_of
from corrigible.demos.insurance_data import read

MOST_ROWS = 3000
TABLES: Mapping[str, Callable[[int], table_data.Rows]] = {
    "adult": table_data.adult,
    "compas": table_data.compas,
    "german": table_data.german,
    "hmda": table_data.hmda,
    "visits": table_data.visits,
    "doctor": table_data.sees_a_doctor,
    "spending": table_data.spending,
    "credit": table_data.credit_default,
}
SPENDING = ("outpdol", "meddol", "lnmeddol", "binexp")
"""Of the year in which visits are counted."""


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    work = {"leaks": leaks, "natural leaks": natural, "clean tables": clean}
    work |= {f"proxies: {kind}": proxies(kind) for kind in PROXIES}
    measure(units_of(work, asked), asked, settings={"rows": MOST_ROWS, "right": RIGHT})


def leaks(seed: int) -> Iterator[Row]:
    """Each planted leak: whether it is a suspect."""
    for table, plant in LEAKS:
        frame, y = drawn(TABLES[table](seed), seed)
        planted = frame.assign(planted=plant(y, np.random.default_rng(seed)))
        found = {leak.column for leak in leak_suspects(columns_in(planted), label(y), seed)}
        yield Row({"what": "planted leak", "table": table, "kind": said(plant)}, {"found": float("planted" in found)})


def natural(seed: int) -> Iterator[Row]:
    """Columns that were known only after the label."""
    table = table_data.with_categories(table_data.unpickled("AER/HMDA", table_data.HMDA))
    rows = table.drop(columns=["rownames", "deny"]), (table["deny"] == "yes").to_numpy()
    frame, y = some(*rows, seed)
    found = {leak.column for leak in leak_suspects(columns_in(frame), label(y), seed)}
    yield Row({"what": "natural leak", "table": "hmda", "kind": "insurance"}, {"found": float("insurance" in found)})
    visits = table_data.with_categories(read())
    known = visits.drop(columns=list(set(table_data.DROPPED) - set(SPENDING)))
    frame, y = some(known, visits["mdvis"].to_numpy(np.float64), seed)
    found = {leak.column for leak in leak_suspects(columns_in(frame), label(y), seed)}
    for name in SPENDING:
        yield Row({"what": "natural leak", "table": "visits", "kind": name}, {"found": float(name in found)})


def clean(seed: int) -> Iterator[Row]:
    """How many columns of each clean table are suspects."""
    for name, table in TABLES.items():
        frame, y = drawn(table(seed), seed)
        found = leak_suspects(columns_in(frame), label(y), seed)
        yield Row({"what": "clean table", "table": name}, {"false alarms": float(len(found))})


def proxies(kind: str) -> Callable[[int], Iterator[Row]]:
    """Four planted proxies of a kind in each of five tables: whether all planted columns are among the first three."""

    def of_seed(seed: int) -> Iterator[Row]:
        for table, (attribute, group) in ATTRIBUTES.items():
            frame, _ = drawn(TABLES[table](seed), seed)
            held = frame[attribute]
            belongs = (held == group if group is not None else held > 0).to_numpy(bool)
            others = columns_in(frame.drop(columns=attribute))
            for place, right in enumerate(RIGHT):
                plant = PROXIES[kind][place % len(PROXIES[kind])]
                planted = plant(belongs, np.random.default_rng([seed, place]), right)
                columns: dict[str, Column] = {**others, **{n: column_of(c, n) for n, c in planted.items()}}
                found = proxies_of(attribute, columns, label(belongs), seed)
                first = [column.name for column in found.columns[:3]]
                all_found = float(all(name in first for name in planted))
                yield Row({"what": "planted proxy", "kind": kind, "table": table, "right": right}, {"found": all_found})

    return of_seed


def drawn(rows: table_data.Rows, seed: int) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Some rows to learn from."""
    return some(rows.x, rows.y, seed)


def some(x: pd.DataFrame, y: NDArray[np.float64], seed: int) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    at = np.random.default_rng(seed).permutation(len(x))[:MOST_ROWS]
    return x.iloc[at].reset_index(drop=True), np.asarray(y)[at]


def label(y: NDArray[np.float64]) -> Outcome:
    """The label as the audit reads it."""
    if y.dtype == bool:
        return outcome_of(Column("y", y.astype(np.float64), ("no", "yes")))
    return outcome_of(Column("y", y.astype(np.float64)), by_rank=True)


def said(plant: Callable[..., pd.Series]) -> str:
    return plant.__name__.replace("_", " ")


if __name__ == "__main__":
    main()
