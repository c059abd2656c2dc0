"""The table of robustness beside accuracy, reliance and leakage, written from the results of its benchmark."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd

MEASURED = {
    "accuracy": "accuracy",
    "flip_rate": "flips",
    "fgsm": "FGSM",
    "projected_gradient": "PGD",
    "auto_projected_gradient": "Auto-PGD",
    "auto_projected_gradient, margin": "Auto-PGD, margin",
    "square_attack": "Square",
    "robust_accuracy": "strongest",
    "certified_accuracy": "certified",
    "membership_auc": "membership",
}


def robustness(found: dict[str, Any]) -> Iterator[str]:
    """One line per way of training."""
    yield f"| {len(found['seeds'])} seeds, mean ± sd | {' | '.join(MEASURED.values())} |"
    yield "|---|" + "---|" * len(MEASURED)
    for row in found["rows"]:
        cells = [mean_and_sd(row[name]) if name in row else "not measured" for name in MEASURED]
        yield f"| {row['model']} | {' | '.join(cells)} |"
