"""The tables of private training, written from the results of its benchmark."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd


def private_training(found: dict[str, Any]) -> Iterator[str]:
    """One line per way of training."""
    yield "| mean ± sd | seeds | test AUC | moved by the marked column | ε | ε of reviewed rows |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        if row["case"] == "private":
            epsilons = (f"{row[name]['mean']:.2f}" if name in row else "–" for name in ("epsilon", "reviewed_epsilon"))
            cells = [mean_and_sd(row["auc"]), mean_and_sd(row["moved"]), *epsilons]
            yield f"| {row['model']} | {row['auc']['count']} | {' | '.join(cells)} |"


def private_defences(found: dict[str, Any]) -> Iterator[str]:
    """One line per defence."""
    yield "| mean ± sd | seeds | AUC of the attack | accuracy | test AUC |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        if row["case"] == "defences":
            cells = " | ".join(mean_and_sd(row[name]) for name in ("attack_auc", "accuracy", "auc"))
            yield f"| {row['model']} | {row['accuracy']['count']} | {cells} |"


ALL = (private_training, private_defences)
