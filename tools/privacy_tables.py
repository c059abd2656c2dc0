"""The tables of what networks give away, written from the results of their benchmark."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd

OF_MEMBERSHIP = {
    "auc": "AUC by the loss",
    "auc_lira": "AUC by LiRA",
    "tpr_loss": "found at 1 %, loss",
    "tpr_lira": "found at 1 %, LiRA",
    "accuracy": "test accuracy",
    "accuracy_members": "on members",
}
OF_EXPLANATIONS = {"auc": "AUC", "more": "more than the prediction"}
OF_ATTRIBUTES = {
    "majority": "most frequent",
    "without_over_majority": "other columns",
    "over_majority": "with the prediction",
    "gain": "gain",
    "auc": "AUC",
    "auc_gain": "AUC gain",
    "alone_over_majority": "prediction alone",
    "accuracy": "accuracy",
}
POINTS = ("majority", "without_over_majority", "over_majority", "gain", "alone_over_majority")
"""Points of a hundred, with one decimal."""
OF_TYPICAL = {"distance": "distance", "distance_without": "without the model", "direction": "direction"}


def privacy(found: dict[str, Any]) -> Iterator[str]:
    """Membership, one line per way of training."""
    yield from _lines(found, "membership", "way", OF_MEMBERSHIP)


def privacy_explanations(found: dict[str, Any]) -> Iterator[str]:
    """Membership, one line per thing that is served."""
    yield from _lines(found, "explanations", "served", OF_EXPLANATIONS)


def privacy_attributes(found: dict[str, Any]) -> Iterator[str]:
    """Race, one line per table and model; points are over the most frequent class."""
    yield from _lines(found, "attribute", "model", OF_ATTRIBUTES)


def privacy_typical(found: dict[str, Any]) -> Iterator[str]:
    """Model inversion, one line per class."""
    yield from _lines(found, "typical row", "class", OF_TYPICAL)


def _lines(found: dict[str, Any], case: str, label: str, columns: dict[str, str]) -> Iterator[str]:
    yield f"| {label} | seeds | {' | '.join(columns.values())} |"
    yield "|---|---|" + "---|" * len(columns)
    for row in found["rows"]:
        if row["case"] == case:
            name = f"{row['table']}, {row[label]}" if "table" in row else row[label]
            cells = [_cell(key, row[key]) if key in row else "–" for key in columns]
            count = next(row[key]["count"] for key in columns if key in row)
            yield f"| {name} | {count} | {' | '.join(cells)} |"


def _cell(name: str, figure: dict[str, float]) -> str:
    return f"{figure['mean']:.1f} ± {figure['sd']:.1f}" if name in POINTS else mean_and_sd(figure)


ALL = (privacy, privacy_explanations, privacy_attributes, privacy_typical)
