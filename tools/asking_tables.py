"""The tables about which rows to ask about, and about proposals."""

from collections.abc import Iterator
from typing import Any


def queries(found: dict[str, Any]) -> Iterator[str]:
    num_seeds, asked = len(found["seeds"]), found["settings"]["asked"]
    yield f"| mean ± sd, {num_seeds} seeds | strategy | hits of {asked} | accuracy before | after | square surer |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        after, surer = (_number(row[name]) if name in row else "" for name in ("accuracy after", "surer"))
        strategy = f"`{row['strategy']}`" + (
            f", {row['network']}, {row['hits']['count']} seeds" if "network" in row else ""
        )
        cells = (f"{row['hits']['mean']:.1f} ± {row['hits']['sd']:.1f}", _number(row["accuracy before"]), after, surer)
        yield f"| {row['case']} | {strategy} | " + " | ".join(cells) + " |"


def proposals(found: dict[str, Any]) -> Iterator[str]:
    num_seeds = len(found["seeds"])
    yield f"| mean of {num_seeds} seeds | segments | covered | of rows that rely | of all | clicks | s | brush, s |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in found["rows"]:
        if row["case"] == "time":
            continue
        cells = [
            f"{100 * row['covered']['mean']:.0f} %",
            f"{row['rely']['mean']:.0f}",
            f"{100 * row['all']['mean']:.0f} %",
        ]
        cells += [
            f"{row[key]['mean']:.1f}" if key in row else "" for key in ("clicks", "click seconds", "brush seconds")
        ]
        yield f"| {row['case']} | {row['method']} | " + " | ".join(cells) + " |"
    for row in found["rows"]:
        if row["case"] == "time":
            least, median = (row[f"seconds, {which} of 9"]["mean"] for which in ("least", "median"))
            over = row["over a pass"]["mean"]
            yield ""
            yield f"Time: {least:.2f} s at least, {median:.2f} s in the median; {over:.1f} × a pass and its gradient."


def _number(value: dict[str, float]) -> str:
    return f"{value['mean']:.3f} ± {value['sd']:.3f}"


def review_path(found: dict[str, Any]) -> Iterator[str]:
    """One line per model: how it came about, and its accuracy where corners tell nothing."""
    yield f"| {len(found['seeds'])} seeds, mean ± sd | accuracy | clicks | images | machine time, s |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        rest = [f"{row[key]['mean']:.0f}" if key in row else "" for key in ("clicks", "items", "machine_seconds")]
        yield f"| {row['model']} | " + " | ".join([_number(row["accuracy"]), *rest]) + " |"
