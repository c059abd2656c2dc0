"""The tables of estimators beside other learners of tables, written from the results of their benchmarks."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd

MEASURES = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "deviance": "Poisson deviance, lower is better",
    "kappa": "quadratic kappa, expected class rounded",
    "kappa with cut points": "quadratic kappa, fitted cut points",
}


def tables(found: dict[str, Any]) -> Iterator[str]:
    """One line per table and measure: the network, boosting, and the network minus boosting on the same rows."""
    yield "| mean ± sd, test rows | seeds | measure | network | boosting | difference |"
    yield "|---|---|---|---|---|---|"
    for table in dict.fromkeys(row["table"] for row in found["rows"]):
        of = {row["model"]: row for row in found["rows"] if row["table"] == table}
        theirs = [name for name in of if name.startswith("boosting")]
        for key, name in MEASURES.items():
            if key in of.get("difference", {}):
                best = max(theirs, key=lambda model: of[model][key]["mean"])
                cells = [mean_and_sd(of[model][key]) for model in ("network", best, "difference")]
                yield f"| {table} | {of['difference'][key]['count']} | {name} | " + " | ".join(cells) + " |"


def table_quantiles(found: dict[str, Any]) -> Iterator[str]:
    """One line per table and level: the pinball loss of both, and that of the network over that of boosting."""
    yield "| mean ± sd, test rows | seeds | level | network | boosting | ratio |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        if row["model"] == "ratio":
            of = {other["model"]: other for other in found["rows"] if other["table"] == row["table"]}
            for key in (key for key in row if key.startswith("pinball")):
                cells = [mean_and_sd(of[model][key]) for model in ("network", "boosting", "ratio")]
                yield (
                    f"| {row['table']} | {row[key]['count']} | {key.removeprefix('pinball ')} | "
                    + " | ".join(cells)
                    + " |"
                )


def table_balance(found: dict[str, Any]) -> Iterator[str]:
    """What the sum of visits predicted for training rows is off, and what the deviance on test rows is."""
    yield "| mean ± sd | seeds | visits of training rows, predicted less observed | Poisson deviance of test rows |"
    yield "|---|---|---|---|"
    for row in found["rows"]:
        if "imbalance" in row and row["model"] != "difference":
            off = row["imbalance"]
            cell = f"{100 * off['mean']:.3f} ± {100 * off['sd']:.3f} %"
            yield f"| {row['model']} | {off['count']} | {cell} | {mean_and_sd(row['deviance'])} |"


def table_peers(found: dict[str, Any]) -> Iterator[str]:
    """One line per table: the area under the curve, or the deviance, of each learner."""
    models = list(dict.fromkeys(row["model"] for row in found["rows"]))
    yield "| mean ± sd, test rows | seeds | " + " | ".join(models) + " |"
    yield "|---" * (len(models) + 2) + "|"
    for table in dict.fromkeys(row["table"] for row in found["rows"]):
        of = {row["model"]: row for row in found["rows"] if row["table"] == table}
        key = next((key for key in ("auc", "deviance") if any(key in row for row in of.values())), "")
        cells = [mean_and_sd(of[model][key]) if model in of else "" for model in models]
        yield (
            f"| {table}, {MEASURES[key]} | {min(row[key]['count'] for row in of.values())} | "
            + " | ".join(cells)
            + " |"
        )


def layer_wise(found: dict[str, Any]) -> Iterator[str]:
    """One line per table, network and penalties."""
    about = "penalties | active units | of plain | overlap | of plain | accuracy | minus plain"
    yield f"| {len(found['seeds'])} seeds, mean ± sd, test rows | {about} |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in found["rows"]:
        keys = ("active", "active_of_plain", "overlap", "overlap_of_plain", "accuracy", "accuracy_minus_plain")
        cells = [mean_and_sd(row[key]) if key in row else "" for key in keys]
        yield f"| {row['table']}, {row['network']} | {row['model']} | " + " | ".join(cells) + " |"


def monotone(found: dict[str, Any]) -> Iterator[str]:
    """One line per table and model."""
    yield "| mean ± sd, test rows | seeds | model | AUC | minus free | broken of 100,000 pairs |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        if "auc" in row:
            cells = [mean_and_sd(row["auc"]), mean_and_sd(row["auc_minus_free"]) if "auc_minus_free" in row else ""]
            broken = f"{row['broken']['mean']:,.0f}" if "broken" in row else ""
            yield f"| {row['table']} | {row['auc']['count']} | {row['model']} | " + " | ".join([*cells, broken]) + " |"
