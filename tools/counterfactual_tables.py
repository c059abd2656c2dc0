"""The tables of counterfactuals, written from the results of their benchmarks."""

from collections.abc import Iterator
from typing import Any


def tree_counterfactuals(found: dict[str, Any]) -> Iterator[str]:
    """One line per table, ensemble and number of constraints; of the worst row the most of all seeds."""
    about = "ms a row | most of a row alone | proven | changes | cost over nearest row | program over branching"
    yield f"| mean ± sd | seeds | constraints | {about} |"
    yield "|---" * 9 + "|"
    for row in found["rows"]:
        cells = [
            f"{row['milliseconds']['mean']:.1f} ± {row['milliseconds']['sd']:.1f}",
            f"{row['most milliseconds']['most']:,.0f} ms",
            f"{100 * row['proven']['mean']:.0f} %",
            f"{row['changes']['mean']:.2f} ± {row['changes']['sd']:.2f}",
            ratio(row, "cost over nearest row"),
            ratio(row, "program over branching"),
        ]
        about = f"{row['table']}: {row['model']} | {row['milliseconds']['count']} | {row['constraints'] or 'none'}"
        yield f"| {about} | " + " | ".join(cells) + " |"


def ratio(row: dict[str, Any], key: str) -> str:
    return f"{row[key]['mean']:.2f} ± {row[key]['sd']:.2f}" if key in row else ""


BESIDE_DICE = {
    "found": "found",
    "valid": "valid",
    "feasible": "allowed",
    "milliseconds a row": "ms a row",
    "cost over DiCE's": "cost / DiCE's",
    "lof minus DiCE's": "LOF − DiCE's",
    "knn minus DiCE's": "5-NN − DiCE's",
    "times faster": "times faster",
    "DiCE: found": "DiCE found",
    "DiCE: feasible": "DiCE allowed",
    "four: found": "four: found",
    "four: valid": "four: valid",
    "four: different": "four: different",
}


def counterfactuals(found: dict[str, Any]) -> Iterator[str]:
    """One line per table and model."""
    seeds = "1 seed" if len(found["seeds"]) == 1 else f"{len(found['seeds'])} seeds, mean ± sd"
    yield f"| {seeds} | {' | '.join(BESIDE_DICE.values())} |"
    yield "|---|" + "---|" * len(BESIDE_DICE)
    for row in found["rows"]:
        cells = " | ".join(_beside(row[name]) if name in row else "" for name in BESIDE_DICE)
        yield f"| {row['table']}, {row['model']} | {cells} |"


BESIDE_PEERS = {
    "valid": "valid",
    "form": "in form",
    "cost": "cost",
    "lof": "LOF",
    "knn": "5-NN",
    "cost of ours over theirs": "cost of ours / theirs",
    "lof of ours minus theirs": "LOF of ours − theirs",
    "knn of ours minus theirs": "5-NN of ours − theirs",
    "times faster": "time of theirs / ours",
}


def counterfactual_peers(found: dict[str, Any]) -> Iterator[str]:
    """One line per table and method."""
    yield f"| {len(found['seeds'])} seeds, mean ± sd | {' | '.join(BESIDE_PEERS.values())} |"
    yield "|---|" + "---|" * len(BESIDE_PEERS)
    for row in found["rows"]:
        cells = " | ".join(_beside(row[name]) if name in row else "" for name in BESIDE_PEERS)
        yield f"| {row['table']}, {row['model']} | {cells} |"


def _beside(value: dict[str, float]) -> str:
    """Fewer decimals where the numbers are large."""
    decimals = 0 if value["mean"] >= 100 else 1 if value["mean"] >= 3 else 2
    mean = f"{value['mean']:,.{decimals}f}"
    return mean if value["count"] == 1 else f"{mean} ± {value['sd']:,.{decimals}f}"


def counterfactual_distillation(found: dict[str, Any]) -> Iterator[str]:
    """One line per model and number of judged changes."""
    yield f"| {len(found['seeds'])} seeds, mean ± sd | changes judged | AUC | predictions that the column flips |"
    yield "|---|---|---|---|"
    for row in found["rows"]:
        cells = [
            f"{row[name]['mean']:.3f} ± {row[name]['sd']:.3f}" if name in row else "" for name in ("auc", "flip_rate")
        ]
        yield f"| {row['model']} | {row['asked'] or ''} | {' | '.join(cells)} |"
