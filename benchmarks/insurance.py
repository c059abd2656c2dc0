"""RAND Health Insurance Experiment: one rule, race must not matter.

    python benchmarks/insurance.py [--seeds 5]

Beside the plain and the corrected model: fine-tuned without feedback (may use race), retrained without the column, and
retrained with the column set to 0. Every model trains for as many epochs in all. Test rows are of other persons.
Writes benchmarks/results/insurance.json.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
from digits import finished
from insurance_tables import CORRECT, TRAIN, WHOLE, Table, insurance, table_measured, table_trained
from runner import Row, measure, options, rows_of, units_of
from torch import nn

from corrigible.demos.insurance_data import load
from corrigible.feedback.masks import mask_of
from corrigible.models import table_mlp
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs
from corrigible.protocols.corrections.correction import correction

METRICS = ("auc", "attribution_overlap", "flip_effect", "flip_rate", "group_prob_gap", "demographic_parity_difference")
LEAST_SHARE = 0.05


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    measure(units_of({"insurance": one_seed}, asked), asked, settings={"epochs": [TRAIN.epochs, CORRECT.epochs]})


def one_seed(seed: int) -> Iterator[Row]:
    table = insurance(seed)
    plain = table_trained(table, seed)
    settings = {"schedule": CORRECT, "validation": table.validation, "seed": seed}
    steps = correction(plain, table.train, table.rule, penalties={"right_reasons": "auto"}, **settings)
    corrected, weights = finished(steps)
    models = {
        "plain": plain,
        "corrected": corrected,
        "fine-tuned without feedback": table_trained(table, seed, CORRECT, copy.deepcopy(plain)),
        "column masked": masked(table, seed),
    }
    numbers = {name: table_measured(model, table, METRICS) for name, model in models.items()}
    numbers["retrained without the column"] = without_column(table, seed)
    before = numbers["plain"]
    if before["attribution_overlap"] < LEAST_SHARE:
        raise SystemExit(f"race has {before['attribution_overlap']:.3f} of the attribution: nothing to correct")
    for found in numbers.values():
        found["share_ratio"] = found["attribution_overlap"] / before["attribution_overlap"]
        found["effect_ratio"] = found["flip_effect"] / before["flip_effect"]
        found["auc_minus_without"] = found["auc"] - numbers["retrained without the column"]["auc"]
    numbers["corrected"]["weight"] = weights["right_reasons"]
    yield from rows_of(numbers)


def masked(table: Table, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    shape = tuple(table.train.x.shape[1:])
    model = MaskedInputs(table_mlp(shape[0], 2), shape)
    model.hide(mask_of(table.rule[0].region, shape, table.train.columns))
    return table_trained(table, seed, WHOLE, model)


def without_column(table: Table, seed: int) -> dict[str, float]:
    """Learned from rows that do not have the column: it cannot rely on it."""
    bare = bare_of(table, seed)
    numbers = table_measured(
        table_trained(bare, seed, WHOLE), bare, ("auc", "group_prob_gap", "demographic_parity_difference")
    )
    return {**numbers, "attribution_overlap": 0.0, "flip_effect": 0.0, "flip_rate": 0.0}


def bare_of(table: Table, seed: int) -> Table:
    """The same rows without the column."""
    train, validation, test = (load(split, seed=seed, use_race=False) for split in ("train", "validation", "test"))
    return replace(table, train=train, validation=validation, test=test, feature=train.columns.features[0])


if __name__ == "__main__":
    main()
