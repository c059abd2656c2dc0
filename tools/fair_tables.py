"""The tables of gaps between groups, written from the results of their benchmark."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd

KINDS = {"demographic_parity": "parity", "equal_opportunity": "opportunity", "equalized_odds": "odds"}


def fair(found: dict[str, Any]) -> Iterator[str]:
    """One line per table, kind of gap and method."""
    about = "method | gap | accuracy | minus thresholds, points | minus rule | within"
    yield f"| mean ± sd, test rows | seeds | {about} |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in found["rows"]:
        if "compared" not in row or "minus_thresholds" not in row:
            continue
        cells = [
            mean_and_sd(row[key]) if key in row else "" for key in ("gap", "accuracy", "minus_thresholds", "minus_rule")
        ]
        within = f"{row['within']['mean']:.0%}" if "within" in row else ""
        name = f"{row['table']}, {KINDS[row['compared']]}"
        yield f"| {name} | {row['gap']['count']} | {row['method']} | " + " | ".join([*cells, within]) + " |"


def fair_cost(found: dict[str, Any]) -> Iterator[str]:
    """The cost of an epoch with a penalty, by table."""
    yield "| processor time of an epoch with a penalty over a plain one | seeds | ratio |"
    yield "|---|---|---|"
    for row in found["rows"]:
        if "cost" in row:
            name = f"{row['table']}, {row['network']} network"
            yield f"| {name} | {row['cost']['count']} | {mean_and_sd(row['cost'])} |"
