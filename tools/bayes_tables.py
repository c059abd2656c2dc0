"""Tables about Bayesian networks, written from the results of their benchmarks."""

from collections.abc import Callable, Iterator
from typing import Any

from correction_tables import mean_and_sd

MEASURED = {
    "accuracy": "accuracy",
    "nll": "NLL",
    "ece": "ECE",
    "aurc": "AURC",
    "rotated": "AUROC, rotated",
    "shuffled": "AUROC, shuffled",
    "fashion": "AUROC, clothes",
    "fashion_fpr": "FPR95, clothes",
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
            yield f"| Bayesian from scratch, without squares | {row['accuracy']['count']} | {cells} |" + " |" * (
                len(MEASURED) - 1
            )


OF_EVIDENCE = {
    "accuracy": "accuracy",
    "flip_rate": "flips",
    "attribution_overlap": "gradient on squares",
    "log_loss": "NLL",
    "calibration_error": "ECE",
}


def evidence(found: dict[str, Any]) -> Iterator[str]:
    """One line per model and number of reviewed rows."""
    yield from _lines(found, OF_EVIDENCE, _with_reviewed)


def evidence_mnist(found: dict[str, Any]) -> Iterator[str]:
    """One line per model and number of reviewed rows."""
    yield from _lines(found, {"accuracy": "accuracy", "nll": "NLL", "ece": "ECE"}, _with_reviewed)


def _lines(found: dict[str, Any], columns: dict[str, str], named: Callable[[dict[str, Any]], str]) -> Iterator[str]:
    yield f"| mean ± sd | seeds | least accuracy | {' | '.join(columns.values())} |"
    yield "|---|---|---|" + "---|" * len(columns)
    for row in found["rows"]:
        cells = " | ".join(mean_and_sd(row[name]) for name in columns)
        yield f"| {named(row)} | {row['accuracy']['count']} | {row['accuracy']['least']:.3f} | {cells} |"


def _with_reviewed(row: dict[str, Any]) -> str:
    return f"{row['model']}, {row['reviewed']} rows" if row["reviewed"] else str(row["model"])


ALL = (bayes, evidence, evidence_mnist)
