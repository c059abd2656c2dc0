"""The table of forgetting beside training again, written from the results of its benchmark."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd

CASES = {"mislabelled": "60 wrong labels", "random": "60 random rows", "class": "a class"}
MEASURED = {
    "klom": "KLoM",
    "klom forgotten": "on forgotten",
    "klom kept": "on kept",
    "klom test": "on test",
    "accuracy test": "test accuracy",
    "minus retrained": "minus retrained",
    "attack": "attack",
}


def unlearning(found: dict[str, Any]) -> Iterator[str]:
    """One line per case and method; a time where one was measured."""
    yield f"| {len(found['seeds'])} seeds, mean ± sd | method | {' | '.join(MEASURED.values())} | time |"
    yield "|---|---|" + "---|" * (len(MEASURED) + 1)
    for case, name in CASES.items():
        for row in found["rows"]:
            if row["case"] == case:
                cells = [mean_and_sd(row[key]) for key in MEASURED]
                time = mean_and_sd(row["time"]) if "time" in row else "–"
                yield f"| {name} | `{row['method']}` | {' | '.join(cells)} | {time} |"
