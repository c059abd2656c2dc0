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
    "time": "time",
}


def unlearning(found: dict[str, Any]) -> Iterator[str]:
    """One line per case and method; a time where one was measured."""
    yield f"| mean ± sd | method | seeds | {' | '.join(MEASURED.values())} |"
    yield "|---|---|---|" + "---|" * len(MEASURED)
    for case, name in CASES.items():
        for row in found["rows"]:
            if row["case"] == case:
                cells = [_cell(row[key]) if key in row else "–" for key in MEASURED]
                yield f"| {name} | `{row['method']}` | {row['klom']['count']} | {' | '.join(cells)} |"


def _cell(figure: dict[str, float]) -> str:
    """One seed has no standard deviation."""
    return mean_and_sd(figure) if figure["count"] > 1 else f"{figure['mean']:.3f}"
