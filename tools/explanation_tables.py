"""The tables of benchmarks/explain.py, explanation_quality.py and explain_memory.py, written from their results."""

from collections.abc import Iterator
from typing import Any


def explain(found: dict[str, Any]) -> Iterator[str]:
    yield "| work, one thread | peer | times as fast | aim | agreement | correlation with 400 orders: here, peer |"
    yield "|---|---|---|---|---|---|"
    for row in (row for row in found["rows"] if "peer" in row):
        agreement = apart(row["difference"]["mean"]) if "difference" in row else ""
        correlations = (row[key]["mean"] for key in ("correlation", "peer_correlation") if key in row)
        correlation = ", ".join(f"{value:.4f}" for value in correlations)
        agreement, correlation = (
            (agreement or f"r = {correlation}", "") if "," not in correlation else ("", correlation)
        )
        cells = (
            row["case"],
            row["peer"],
            f"{row['times_faster']['mean']:.3g} ×",
            f"{row['to_reach']} ×",
            agreement,
            correlation,
        )
        yield "| " + " | ".join(cells) + " |"


def explain_proofs(found: dict[str, Any]) -> Iterator[str]:
    yield "| what | largest relative error |"
    yield "|---|---|"
    for row in (row for row in found["rows"] if "what" in row):
        yield f"| {row['what']} | {row['error']['mean']:.0e} |"


def explanation_quality(found: dict[str, Any]) -> Iterator[str]:
    digits = found["settings"]["rows_explained"]
    yield f"| measure, {digits} digits | times as fast as quantus (aim: 10) | largest difference |"
    yield "|---|---|---|"
    for row in found["rows"]:
        difference = apart(row["largest_difference"]["mean"]) if "largest_difference" in row else ""
        yield f"| {row['measure']} | {row['ratio']['mean']:.1f} × | {difference} |"


def explain_memory(found: dict[str, Any]) -> Iterator[str]:
    yield "| work | rows | steps or samples | peak memory of the process | of which explaining |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        count, peak = row.get("steps", row.get("samples")), row["peak_mib"]["mean"]
        added = peak - row["before_mib"]["mean"]
        yield f"| {row['work']} | {row['num_rows']:,} | {count} | {peak:.0f} MiB | {added:.0f} MiB |"


def apart(difference: float) -> str:
    return f"{difference:.0e} apart" if difference else "the same"
