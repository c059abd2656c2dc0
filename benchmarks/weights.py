"""Is the weight that the swap score chooses as good as the best fixed one?

    python benchmarks/weights.py [CASE …] [--seeds 5]

Digits with squares in the corners (20 rows, row scope), the insurance table (race, data set scope) and the same table
with a column that leaks the label. Accuracy on the digits and AUC on the tables, on test rows whose marked inputs say
nothing: squares of random grey, race shuffled among the rows, a random leak; otherwise relying on them would pay. The
best fixed weight is chosen after the fact, on these test rows, which no user could do.
Writes benchmarks/results/weights.json.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from digits import TRAIN, Digits, corrected, finished, fresh, measured, trained
from results import mean_sd, progress, read, write
from tables import CORRECT, Table, insurance, leaking, race_shuffled, table_measured, table_trained
from torch import nn

from corrigible.protocols.correction import correction

GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
LEAST_ON_DIGITS = 0.3
"""Below it the network stays fooled, and each weight takes a minute."""


def main() -> None:
    cases = {"digits": on_digits, "insurance": on_insurance, "leaking column": on_leak}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*cases, []], help="measure these again, keep the others")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kept = {row["case"]: row for row in read("weights").get("rows", [])}
    for case in arguments.cases or cases:
        kept[case] = compared(case, cases[case], arguments.seeds)
    write("weights", {"rows": [kept[case] for case in cases if case in kept]})


def compared(case: str, setting: "Callable[[int], Corrected]", num_seeds: int) -> dict[str, Any]:
    """Every fixed weight and the chosen one, over seeds."""
    tried: dict[str, list[float]] = {}
    chosen = []
    for seed in range(num_seeds):
        correct_with = setting(seed)
        for weight in GRID:
            if case != "digits" or weight >= LEAST_ON_DIGITS:
                score, _ = correct_with(weight)
                tried.setdefault(f"{weight:g}", []).append(score)
        score, weight = correct_with("auto")
        tried.setdefault("auto", []).append(score)
        chosen.append(weight)
        progress(seed, case, {name: scores[-1] for name, scores in tried.items()} | {"chosen": weight})
    fixed = {name: mean_sd(scores) for name, scores in tried.items() if name != "auto"}
    best = max(fixed, key=lambda name: fixed[name]["mean"])
    return {
        "case": case,
        "seeds": num_seeds,
        "auto": mean_sd(tried["auto"]),
        "best_fixed_weight": best,
        "best_fixed": fixed[best],
        "fixed": fixed,
        "chosen": chosen,
    }


Corrected = Callable[[float | str], tuple[float, float]]


def on_digits(seed: int) -> Corrected:
    digits = Digits(seed)
    fooled = trained(fresh(seed), digits.train_rows, TRAIN, seed)

    def correct_with(weight: float | str) -> tuple[float, float]:
        model, used = corrected(fooled, digits, digits.reviewed(20), weight=weight)
        return measured(model, digits, metrics=("accuracy",))["accuracy"], used

    return correct_with


def on_insurance(seed: int) -> Corrected:
    return on_table(race_shuffled(insurance(seed)), seed)


def on_leak(seed: int) -> Corrected:
    return on_table(leaking(seed), seed)


def on_table(table: Table, seed: int) -> Corrected:
    plain = table_trained(table, seed)

    def correct_with(weight: float | str) -> tuple[float, float]:
        model, used = corrected_table(plain, table, weight, seed)
        return table_measured(model, table, ("auc",))["auc"], used

    return correct_with


def corrected_table(plain: nn.Module, table: Table, weight: float | str, seed: int) -> tuple[nn.Module, float]:
    steps = correction(
        plain,
        table.train,
        table.rule,
        penalties={"right_reasons": weight},
        schedule=CORRECT,
        validation=table.validation,
        seed=seed,
    )
    model, weights = finished(steps)
    return model, weights.get("right_reasons", weight)  # type: ignore[return-value]


if __name__ == "__main__":
    main()
