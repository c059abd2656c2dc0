"""The table of how sure networks are before and after a correction, written from the results of its benchmark."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd

MEASURED = {
    "accuracy": "accuracy",
    "nll": "NLL",
    "ece": "ECE",
    "aurc": "AURC",
    "rotated": "AUROC, rotated",
    "shuffled": "AUROC, shuffled",
}


def bayes(found: dict[str, Any]) -> Iterator[str]:
    """One line per way before and one after the correction."""
    yield f"| mean ± sd | seeds | {' | '.join(MEASURED.values())} |"
    yield "|---|---|" + "---|" * len(MEASURED)
    for when in ("before", "after"):
        for row in found["rows"]:
            if row.get("model") == when:
                cells = " | ".join(mean_and_sd(row[name]) for name in MEASURED)
                yield f"| {row['way']}, {when} | {row['accuracy']['count']} | {cells} |"
    for row in found["rows"]:
        if "minus ordinary" in row:
            cells = f"{mean_and_sd(row['accuracy'])} (least {row['minus ordinary']['least']:+.3f} of ordinary)"
            yield f"| Bayesian from scratch, without squares | {row['accuracy']['count']} | {cells} |" + " |" * 5
