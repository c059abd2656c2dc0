"""Temperatures and 90 % sets from rows as they are, and from rows with exchanged squares, where squares tell nothing.

    python benchmarks/calibrating.py [--seeds 5] [--resume]

LeNet, squares of four corners that tell the digit in training and in the 500 rows to calibrate on; 20 training rows are
reviewed. "fooled" is trained 12 epochs, "corrected" by the default method 24 more. Measured on 1000 test digits under
squares of random grey: how often 90 % sets hold the label, how many classes they hold, and the negative log-likelihood
at each temperature and without one. Writes benchmarks/results/calibrating.json.
"""

from collections.abc import Iterator

import torch
from digits import CORRECT, TRAIN, Digits, fresh, trained
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError
from corrigible.models.predictive import all_outputs

REVIEWED, ALPHA = 20, 0.1


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    settings = {"epochs": [TRAIN.epochs, CORRECT.epochs], "reviewed": REVIEWED, "alpha": ALPHA}
    measure(units_of({"digits": digits}, asked), asked, settings=settings)


def digits(seed: int) -> Iterator[Row]:
    rows = Digits(seed)
    said, validation, test = rows.reviewed(REVIEWED), rows.validation_rows, rows.test_rows
    fooled = trained(fresh(seed), rows.train_rows, TRAIN, seed)
    how = {"epochs": CORRECT.epochs, "validation": validation, "seed": seed, "progress": False}
    corrected = corrigible.correct(fooled, rows.train_rows, said, **how)
    for name, model in (("fooled", fooled), ("corrected", corrected)):
        numbers = {"without": {"nll": nll(model, test)}}
        for calibrated, feedback in (("as they are", None), ("exchanged", said)):
            about = (model, rows.train_rows, feedback)
            sets = corrigible.conformal_sets(*about, validation=validation, alpha=ALPHA, seed=seed)
            covered, size = sets.coverage(test, num_resamples=0)
            found: Numbers = {"coverage": float(covered.value or 0), "size": float(size.value or 0)}
            try:
                scaled = corrigible.temperature_scaled(*about, validation=validation, seed=seed)
                found |= {"temperature": float(scaled.temperature), "nll": nll(scaled, test)}
            except DataError:
                pass  # Right on every row: no temperature is best, which is found by its absence.
            numbers[calibrated] = found
        yield from rows_of(numbers, "rows", model=name)


def nll(model: nn.Module, rows: TensorData) -> float:
    """The mean negative log-likelihood of the labels, in nats."""
    return float(torch.nn.functional.cross_entropy(all_outputs(model, rows.x).double(), rows.y))


if __name__ == "__main__":
    main()
