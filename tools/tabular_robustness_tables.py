"""The tables about attacks on tables and about erratic rows, written from the results of their benchmarks."""

from collections.abc import Iterator
from typing import Any

ATTACKED = {
    "accuracy": "accuracy",
    "no attack": "no attack",
    "plain": "plain gradients",
    "gradient": "gradient",
    "random": "search",
    "both": "both",
    "strongest": "strongest",
}
ERRATIC = {
    "flagged": "flagged",
    "silent": "silent",
    "worst": "worst silent move",
    "silent, exposed": "silent, exposed",
    "worst, exposed": "worst, exposed",
    "moved": "mean move",
    "moved, clamped": "clamped",
    "moved, exposed": "exposed",
}


def feasible_attacks(found: dict[str, Any]) -> Iterator[str]:
    """One line per table and network: shares of rows that are predicted correctly."""
    yield f"| {len(found['seeds'])} seeds, mean ± sd, % right | {' | '.join(ATTACKED.values())} |"
    yield "|---|" + "---|" * len(ATTACKED)
    for row in found["rows"]:
        cells = " | ".join(percent(row[name]) for name in ATTACKED)
        yield f"| {row['table']}, {row['model']} | {cells} |"


def erratic_rows(found: dict[str, Any]) -> Iterator[str]:
    """One line per table and kind of rows; of ordinary rows the false alarms."""
    yield f"| {len(found['seeds'])} seeds, mean ± sd, % | {' | '.join(ERRATIC.values())} |"
    yield "|---|" + "---|" * len(ERRATIC)
    for row in found["rows"]:
        if "flagged" in row:
            cells = " | ".join(most(row[key]) if "worst" in key else percent(row[key]) for key in ERRATIC)
        else:
            cells = f"{percent(row['false alarms'])}, false alarms" + " |" * (len(ERRATIC) - 1)
        yield f"| {row['table']}, {row['kind']} | {cells} |"


def percent(value: dict[str, float]) -> str:
    return f"{100 * value['mean']:.1f} ± {100 * value['sd']:.1f}"


def most(value: dict[str, float]) -> str:
    """The worst of all seeds."""
    return f"{100 * value['most']:.0f}"
