"""The tables of influence beside the truth and beside a peer, written from the results of their benchmarks."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd

MEASURED = {
    "truth": "Pearson with the truth",
    "newton": "with a Newton step",
    "mean_query": "of the mean query",
    "cost": "cost over a training",
}
FOUND = {
    "self_influence": "wrong labels among the top tenth by self-influence",
    "loss": "by the loss",
    "peak_gb": "peak of memory, GB",
    "before_gb": "of these before the replay",
}
OF_REMARKS = {
    "wrong_in_worse_half": "wrong remarks in the worse half",
    "right": "with the right remarks alone",
    "all": "with all",
    "without_half": "without the worse half",
    "truth": "Pearson with the truth",
    "cost": "cost over a correction",
}


def influence(found: dict[str, Any]) -> Iterator[str]:
    """One line per case and method; below it what was found by it."""
    yield f"| mean ± sd, {len(found['seeds'])} seeds | {' | '.join(MEASURED.values())} |"
    yield "|---|" + "---|" * len(MEASURED)
    for row in found["rows"]:
        if any(name in row for name in MEASURED):
            cells = " | ".join(mean_and_sd(row[name]) if name in row else "" for name in MEASURED)
            yield f"| {row['case']}: {row['method']} | {cells} |"


def influence_found(found: dict[str, Any]) -> Iterator[str]:
    """Wrong labels and memory."""
    yield "| case | measured | mean ± sd |"
    yield "|---|---|---|"
    for row in found["rows"]:
        for name, words in FOUND.items():
            if name in row:
                cell = mean_and_sd(row[name]) if row[name]["count"] > 1 else f"{row[name]['mean']:.2f}"
                yield f"| {row['case']}: {row['method']} | {words} | {cell} |"


def lissa(found: dict[str, Any]) -> Iterator[str]:
    """One line per way to divide by the curvature."""
    columns = {"agreement": "Pearson with the exact inverse", "size": "size of its values"}
    yield f"| mean ± sd, {len(found['seeds'])} seeds | {' | '.join(columns.values())} | passes over the rows |"
    yield "|---|" + "---|" * (len(columns) + 1)
    for row in found["rows"]:
        cells = " | ".join(mean_and_sd(row[name]) for name in columns)
        yield f"| {row['method']} | {cells} | {row['passes']['mean']:,.0f} |"


def ek_fac_peer(found: dict[str, Any]) -> Iterator[str]:
    """One line per network and package."""
    columns = {"agreement": "Pearson with the exact inverse", "rank": "Spearman", "times_faster": "times faster"}
    yield f"| mean ± sd, {len(found['seeds'])} seeds | weights | {' | '.join(columns.values())} |"
    yield "|---|---|" + "---|" * len(columns)
    for row in found["rows"]:
        cells = " | ".join(mean_and_sd(row[name]) if name in row else "" for name in columns)
        yield f"| {row['case']}: {row['method']} | {row['weights']:,} | {cells} |"


def feedback_influence(found: dict[str, Any]) -> Iterator[str]:
    """Wrong remarks that were found, and what leaving the worse half out gives back."""
    named = " | ".join([*OF_REMARKS.values(), "given back of what was lost"])
    yield f"| mean ± sd, {len(found['seeds'])} seeds | {named} |"
    yield "|---|" + "---|" * (len(OF_REMARKS) + 1)
    for row in found["rows"]:
        cells = " | ".join(mean_and_sd(row[name]) if name in row else "" for name in OF_REMARKS)
        yield f"| {row['case']}, {row['kind']}: {row['method']} | {cells} | {_given_back(row)} |"


def _given_back(row: dict[str, Any]) -> str:
    """The share of the mean loss; none where less than a point is lost."""
    lost, back = row["lost"]["mean"], row["back"]["mean"]
    return f"{back / lost:.2f} of {lost:.3f}" if lost >= 0.01 else f"{lost:.3f} was lost"
