"""Every method that applies to a table, on one rule: a column must not matter.

    python benchmarks/table_methods.py [--seeds 3] [--cases "leaking column"] [--methods right_reasons,counterexamples]

The RAND Health Insurance Experiment: race must not matter (AUC on test rows whose race is shuffled, or relying on it
would pay), and the same table with a column that leaks the label in training and says nothing in the test. Each weight
is chosen by swap score; where every weight is refused, the numbers are those of the plain network. "column dropped" is
the network retrained with the column constant. Writes benchmarks/results/table_methods.json after every seed.
"""

import copy
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from digits import finished
from insurance_tables import CORRECT, WHOLE, Table, insurance, leaking, race_shuffled, table_measured, table_trained
from runner import Row, measure, options, rows_of, units_of
from torch import nn

from corrigible.errors import CorrectionRefusedError, NoGradientError, UnsupportedModelError
from corrigible.feedback.masks import mask_of
from corrigible.models import table_mlp
from corrigible.penalties import FEEDBACK_LOSSES, FEEDBACK_PENALTIES
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs
from corrigible.protocols.corrections.correction import correction

METRICS = ("auc", "attribution_overlap", "flip_rate")
CASES = {"insurance": lambda seed: race_shuffled(insurance(seed)), "leaking column": leaking}


def main() -> None:
    parser = options(__doc__, seeds=3)
    parser.add_argument("--methods", default=",".join([*FEEDBACK_PENALTIES, *FEEDBACK_LOSSES]))
    asked = parser.parse_args()
    methods = asked.methods.split(",")
    works = {case: partial(compared, case, methods) for case in CASES}
    measure(units_of(works, asked), asked, settings={"methods": methods})


def compared(case: str, methods: Sequence[str], seed: int) -> Iterator[Row]:
    table = CASES[case](seed)
    plain = table_trained(table, seed)
    started = time.process_time()
    further = table_trained(table, seed, CORRECT, copy.deepcopy(plain))
    usual = time.process_time() - started
    models: dict[str, tuple[nn.Module, dict[str, Any]]] = {
        "plain": (plain, {}),
        "fine-tuned without feedback": (further, {}),
        "column dropped": (dropped(table, seed), {}),
    }
    for method in methods:
        penalties = dict.fromkeys(method.split("+"), "auto")
        settings: dict[str, Any] = {"schedule": CORRECT, "validation": table.validation, "seed": seed}
        try:
            steps = correction(plain, table.train, table.rule, penalties=penalties, **settings)
            model, weights = finished(steps)
        except (UnsupportedModelError, NoGradientError) as error:
            print(f"  {method}: {error}", flush=True)
            continue
        except CorrectionRefusedError as refusal:
            print(f"  {method}: {refusal}", flush=True)
            models[method] = (plain, {"refused": 1.0})
            continue
        started = time.process_time()
        for _ in correction(plain, table.train, table.rule, penalties=weights, **settings):
            pass
        cost = (time.process_time() - started) / usual
        models[method] = (model, {"refused": 0.0, "weight": next(iter(weights.values())), "cost": cost})
    numbers = {name: {**table_measured(model, table, METRICS), **about} for name, (model, about) in models.items()}
    yield from rows_of(numbers, case=case)


def dropped(table: Table, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    shape = tuple(table.train.x.shape[1:])
    model = MaskedInputs(table_mlp(shape[0], 2), shape)
    model.hide(mask_of(table.rule[0].region, shape, table.train.columns))
    return table_trained(table, seed, WHOLE, model)


if __name__ == "__main__":
    main()
