"""The table of exact counterfactuals of trees, written from the results of its benchmark."""

from collections.abc import Iterator
from typing import Any


def tree_counterfactuals(found: dict[str, Any]) -> Iterator[str]:
    """One line per table, ensemble and number of constraints; of the worst row the most of all seeds."""
    about = "ms a row | most of a row alone | proven | changes | cost over nearest row | program over branching"
    yield f"| {len(found['seeds'])} seeds, mean ± sd | constraints | {about} |"
    yield "|---" * 8 + "|"
    for row in found["rows"]:
        cells = [
            f"{row['milliseconds']['mean']:.1f} ± {row['milliseconds']['sd']:.1f}",
            f"{row['most milliseconds']['most']:,.0f} ms",
            f"{100 * row['proven']['mean']:.0f} %",
            f"{row['changes']['mean']:.2f} ± {row['changes']['sd']:.2f}",
            ratio(row, "cost over nearest row"),
            ratio(row, "program over branching"),
        ]
        yield f"| {row['table']}: {row['model']} | {row['constraints'] or 'none'} | " + " | ".join(cells) + " |"


def ratio(row: dict[str, Any], key: str) -> str:
    return f"{row[key]['mean']:.2f} ± {row[key]['sd']:.2f}" if key in row else ""
