"""Limits the influence of the race column without retraining, by each of the choices of what stands in its place.

    python benchmarks/limiting.py [--seeds 5]

On validation rows, by which the default was chosen, and on test rows; both are of other persons. Beside the limited
models: the plain one, and one that was retrained without the column for as long as plain and corrected models together.
Writes benchmarks/results/limiting.json.
"""

from collections.abc import Iterator
from dataclasses import replace

from insurance import bare_of
from insurance_tables import TRAIN, WHOLE, insurance, table_measured, table_trained
from runner import Row, measure, options, rows_of, units_of

from corrigible import limit_influence
from corrigible.protocols.schedule import Schedule

METRICS = ("auc", "mean_loss", "expected_calibration_error", "attribution_overlap", "flip_effect", "group_prob_gap")
WITHOUT = ("auc", "mean_loss", "expected_calibration_error", "group_prob_gap")
SHORT = Schedule(epochs=1, batch_size=256)
CHOICES = {
    "expected": {"removal": "expected"},
    "average": {"removal": "average"},
    "mean": {"removal": "mean"},
    "baseline": {"removal": "baseline"},
    "expected, rescaled": {"removal": "expected", "rescale": True},
    "average, rescaled": {"removal": "average", "rescale": True},
    "average, trained on for an epoch": {"removal": "average", "schedule": SHORT},
    "mean, trained on for an epoch": {"removal": "mean", "schedule": SHORT},
}


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    measure(units_of({"race": one_seed}, asked), asked, settings={"epochs": [TRAIN.epochs, WHOLE.epochs]})


def one_seed(seed: int) -> Iterator[Row]:
    table, bare = insurance(seed), bare_of(insurance(seed), seed)
    plain, retrained = table_trained(table, seed), table_trained(bare, seed, WHOLE)
    given = {"inputs": table.feature, "validation": table.validation, "seed": seed}
    limited = {name: limit_influence(plain, table.train, **given, **choice) for name, choice in CHOICES.items()}
    for split in ("validation", "test"):
        at, bare_at = (replace(rows, test=getattr(rows, split)) for rows in (table, bare))
        without = table_measured(retrained, bare_at, WITHOUT)
        numbers = {name: table_measured(model, at, METRICS) for name, model in {"plain": plain, **limited}.items()}
        for name, found in numbers.items():
            found["effect_ratio"] = found["flip_effect"] / numbers["plain"]["flip_effect"]
            found["auc_minus_without"] = found["auc"] - without["auc"]
            if name in limited:
                found["seconds"] = limited[name].limited.seconds
        yield from rows_of({**numbers, "retrained without the column": without}, split=split)


if __name__ == "__main__":
    main()
