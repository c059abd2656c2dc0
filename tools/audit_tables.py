"""The table of what an audit finds, written from the results of its benchmark."""

from collections.abc import Iterator
from typing import Any

NAMES = {
    "adult": "Adult",
    "compas": "COMPAS",
    "german": "German credit",
    "hmda": "HMDA",
    "visits": "RAND, visits",
    "doctor": "RAND, sees a doctor",
    "spending": "RAND, spending",
    "credit": "credit default",
}
KINDS = ("linear", "interaction", "category")


def audit(found: dict[str, Any]) -> Iterator[str]:
    """One line per table: what was found of what was planted, over all seeds, and suspects of the clean table."""
    about = "planted leaks | natural leaks | false alarms per clean table | " + " | ".join(
        f"{k} proxies" for k in KINDS
    )
    yield f"| {len(found['seeds'])} seeds: found of all | {about} |"
    yield "|---" * (4 + len(KINDS)) + "|"
    for table, name in NAMES.items():
        rows = [row for row in found["rows"] if row["table"] == table]
        alarms = [row["false alarms"]["mean"] for row in rows if "false alarms" in row]
        cells = [_of_all(rows, "planted leak"), _of_all(rows, "natural leak"), f"{alarms[0]:.1f}" if alarms else ""]
        cells += [_of_all([row for row in rows if row.get("kind") == kind], "planted proxy") for kind in KINDS]
        yield f"| {name} | " + " | ".join(cells) + " |"
    cells = [_of_all(found["rows"], "planted leak"), _of_all(found["rows"], "natural leak"), ""]
    cells += [_of_all([r for r in found["rows"] if r.get("kind") == kind], "planted proxy") for kind in KINDS]
    yield "| all | " + " | ".join(cells) + " |"


def _of_all(rows: list[dict[str, Any]], what: str) -> str:
    """How many were found of how many; empty where none was planted."""
    figures = [row["found"] for row in rows if row["what"] == what]
    total = sum(figure["count"] for figure in figures)
    return f"{sum(figure['mean'] * figure['count'] for figure in figures):.0f} of {total}" if total else ""
