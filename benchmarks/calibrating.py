"""Temperatures and 90 % sets from rows as they are, and from rows with exchanged content, where a cue tells nothing.

    python benchmarks/calibrating.py [--seeds 5] [--cases digits] [--resume]

"digits": LeNet, squares of four corners that tell the digit in training and in the 500 rows to calibrate on; 20
training rows are reviewed. "fooled" is trained 12 epochs, "corrected" by the default method 24 more. Measured on each
of 1000 test digits under squares of each of the ten greys; ``worst_coverage`` is that of the grey that is covered
least. "race" and "leak": who sees a doctor in the RAND Health Insurance Experiment, a rule that race, or a column
that leaks the label, must not matter; test rows hold other rows' race, or a column that tells nothing, and
``worst_coverage`` is that of the group, by race, that is covered least. ``coverage`` is how often 90 % sets hold the
label, ``size`` how many classes they hold; ``nll`` and ``ece`` are the negative log-likelihood and the expected
calibration error at each temperature and without one. Writes benchmarks/results/calibrating.json.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from digits import CORRECT, TRAIN, Digits, fresh, trained
from insurance_tables import CORRECT as CORRECT_TABLE
from insurance_tables import Table, insurance, leaking, race_shuffled, table_trained
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import Tensor, nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.data.decoys import corner_squares
from corrigible.errors import DataError
from corrigible.metrics import expected_calibration_error
from corrigible.models.predictive import all_outputs
from corrigible.protocols.calibrating.conformal import ConformalSets
from corrigible.types import Feedback

REVIEWED, ALPHA, NUM_CLASSES = 20, 0.1, 10


class Case(NamedTuple):
    """A fooled network, its data, and rows where the cue tells nothing, each with its part."""

    fooled: nn.Module
    train: TensorData
    validation: TensorData
    feedback: list[Feedback]
    test: TensorData
    part: Tensor
    """Of each test row the grey or the group that it belongs to."""
    epochs: int
    batch_size: int | None


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    settings = {"epochs": [TRAIN.epochs, CORRECT.epochs], "reviewed": REVIEWED, "alpha": ALPHA}
    cases: dict[str, Callable[[int], Case]] = {"digits": digits, "race": race, "leak": leak}
    works = {name: partial(one_seed, name, case) for name, case in cases.items()}
    measure(units_of(works, asked), asked, settings=settings)


def digits(seed: int) -> Case:
    rows = Digits(seed)
    clean = rows.clean_test
    shown = torch.arange(NUM_CLASSES).repeat_interleave(len(clean.x))
    x = corner_squares(clean.x.repeat(NUM_CLASSES, 1, 1, 1), shown, informative=True, seed=seed * 3 + 2).x
    test = TensorData(x, clean.y.repeat(NUM_CLASSES))
    fooled = trained(fresh(seed), rows.train_rows, TRAIN, seed)
    data = (rows.train_rows, rows.validation_rows, rows.reviewed(REVIEWED))
    return Case(fooled, *data, test, shown, CORRECT.epochs, CORRECT.batch_size)


def race(seed: int) -> Case:
    table = insurance(seed)
    return of_table(table, race_shuffled(table).test)


def leak(seed: int) -> Case:
    table = leaking(seed)
    return of_table(table, table.test)


def of_table(table: Table, test: TensorData) -> Case:
    assert test.group is not None
    fooled, how = table_trained(table, table.seed), CORRECT_TABLE
    return Case(
        fooled, table.train, table.validation, table.rule, test, torch.as_tensor(test.group), how.epochs, how.batch_size
    )


def one_seed(name: str, case_of: Callable[[int], Case], seed: int) -> Iterator[Row]:
    case = case_of(seed)
    how: dict[str, Any] = {"epochs": case.epochs, "batch_size": case.batch_size, "seed": seed, "progress": False}
    corrected = corrigible.correct(case.fooled, case.train, case.feedback, validation=case.validation, **how)
    for of, model in (("fooled", case.fooled), ("corrected", corrected)):
        numbers = {"without": sureness(model, case.test)}
        for calibrated, feedback in (("as they are", None), ("exchanged", case.feedback)):
            about = (model, case.train, feedback)
            sets = corrigible.conformal_sets(*about, validation=case.validation, alpha=ALPHA, seed=seed)
            found = covered(sets, case)
            try:
                scaled = corrigible.temperature_scaled(*about, validation=case.validation, seed=seed)
                found |= {"temperature": float(scaled.temperature), **sureness(scaled, case.test)}
            except DataError:
                pass  # Right on every row: no temperature is best, which is found by its absence.
            numbers[calibrated] = found
        yield from rows_of(numbers, "rows", case=name, model=of)


def covered(sets: ConformalSets, case: Case) -> Numbers:
    """How often sets hold the label, over all test rows and in the part where they do least often; their mean size."""
    found = sets.sets(case.test.x)
    holds = found.gather(1, case.test.y[:, None])[:, 0].double()
    parts = [float(holds[case.part == part].mean()) for part in case.part.unique()]
    size = float(found.sum(dim=1).double().mean())
    return {"coverage": float(holds.mean()), "worst_coverage": min(parts), "size": size}


def sureness(model: nn.Module, rows: TensorData) -> Numbers:
    """The mean negative log-likelihood of the labels, in nats, and the expected calibration error."""
    log_probs = all_outputs(model, rows.x).double().log_softmax(dim=1)
    nll = float(torch.nn.functional.nll_loss(log_probs, rows.y))
    return {"nll": nll, "ece": float(expected_calibration_error(log_probs.exp(), rows.y))}


if __name__ == "__main__":
    main()
