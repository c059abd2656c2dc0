"""Is the weight that the swap score chooses as good as the best fixed one?

    python benchmarks/weights.py [--seeds 5] [--cases digits]

Digits with squares in the corners (20 rows, row scope), the insurance table (race, data set scope) and the same table
with a column that leaks the label. Accuracy on the digits and AUC on the tables, on test rows whose marked inputs say
nothing: squares of random grey, race shuffled among the rows, a random leak; otherwise relying on them would pay. The
best fixed weight is chosen after the fact, on these test rows, which no user could do.
Writes benchmarks/results/weights.json.
"""

from collections.abc import Callable, Iterator
from functools import partial

from digits import TRAIN, Digits, corrected, finished, fresh, measured, trained
from insurance_tables import CORRECT, Table, insurance, leaking, race_shuffled, table_measured, table_trained
from runner import Row, measure, options, units_of
from torch import nn

from corrigible.protocols.corrections.correction import correction

GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
LEAST_ON_DIGITS = 0.3
"""Below it the network stays fooled, and each weight takes a minute."""


def main() -> None:
    cases = {"digits": on_digits, "insurance": on_insurance, "leaking column": on_leak}
    asked = options(__doc__, seeds=5).parse_args()
    works = {case: partial(compared, case, setting) for case, setting in cases.items()}
    measure(units_of(works, asked), asked, settings={})


def compared(case: str, setting: "Callable[[int], Corrected]", seed: int) -> Iterator[Row]:
    """The chosen weight and every fixed one."""
    correct_with = setting(seed)
    score, weight = correct_with("auto")
    yield Row({"case": case, "weight": "auto"}, {"score": score, "chosen": weight})
    for fixed in GRID:
        if case != "digits" or fixed >= LEAST_ON_DIGITS:
            yield Row({"case": case, "weight": fixed}, {"score": correct_with(fixed)[0]})


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
