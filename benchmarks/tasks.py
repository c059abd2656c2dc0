"""Corrections of models whose labels are not classes: prices, counts, quantiles and others.

    python benchmarks/tasks.py [--seeds 5] [--resume]

1,500 rows of three columns, one of which almost repeats the label; on 2,000 test rows it tells nothing. One rule says
that it must not matter, and the default correction is used. The quality is the accuracy, or the share of the variance,
deviance or pinball loss explained, or of pairs ordered rightly; the reference is trained with that column 0. The last
case is real: how often 5,912 persons saw a doctor, with the share of the year as exposure; the rule is about race.
Writes benchmarks/results/tasks.json.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from runner import Numbers, Row, measure, options, rows_of, units_of
from task_cases import CHOICES, Scaled, rows, visits, without
from torch import nn

from corrigible import Feedback, correct
from corrigible.data.dataset import TensorData
from corrigible.observations import gather
from corrigible.protocols.mean_quality import mean_quality
from corrigible.protocols.schedule import Schedule, run

TRAIN = Schedule(epochs=20, learning_rate=3e-3)
OF_VISITS = Schedule(epochs=10, batch_size=256, learning_rate=1e-3)
NUM_ROWS, NUM_TEST_ROWS = 1500, 2000


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works: dict[str, Callable[[int], Iterator[Row]]] = {case: partial(one_seed, case) for case in CHOICES}
    works["visits to a doctor"] = of_visits
    measure(units_of(works, asked), asked, settings={"epochs": TRAIN.epochs, "rows": [NUM_ROWS, NUM_TEST_ROWS]})


def one_seed(case: str, seed: int) -> Iterator[Row]:
    data = rows(case, num_rows=NUM_ROWS, seed=seed, is_clean=False)
    test = rows(case, num_rows=NUM_TEST_ROWS, seed=seed + 1000, is_clean=True)
    yield from compared(case, data, test, "secret", TRAIN, seed)


def of_visits(seed: int) -> Iterator[Row]:
    yield from compared("visits to a doctor", visits("train", seed), visits("test", seed), "black", OF_VISITS, seed)


def compared(
    case: str, data: TensorData, test: TensorData, feature: str, schedule: Schedule, seed: int
) -> Iterator[Row]:
    rule = [Feedback((feature,), scope="dataset")]
    fooled = trained(data, schedule, seed)
    given = {"batch_size": schedule.batch_size, "epochs": 10 if schedule.batch_size else 24}
    corrected = correct(fooled, data, rule, seed=seed, **given)
    models = {"fooled": fooled, "corrected": corrected}
    numbers: dict[str, Numbers] = {
        name: {"quality": mean_quality(model, test), "shift": shift(model, test, rule)}
        for name, model in models.items()
    }
    bare = trained(without(data, feature), schedule, seed)
    numbers["retrained without the column"] = {"quality": mean_quality(bare, without(test, feature)), "shift": 0.0}
    gap = numbers["retrained without the column"]["quality"] - numbers["fooled"]["quality"]
    for found in numbers.values():
        if feature == "secret":  # There are no rows in which race tells nothing.
            found["share_of_gap"] = (found["quality"] - numbers["fooled"]["quality"]) / gap
        found["shift_ratio"] = found["shift"] / numbers["fooled"]["shift"]
    yield from rows_of(numbers, case=case)


def trained(data: TensorData, schedule: Schedule, seed: int) -> nn.Module:
    model = Scaled(data, seed)
    for _ in run(model, data, schedule, seed=seed):
        pass
    return model


def shift(model: nn.Module, test: TensorData, rule: list[Feedback]) -> float:
    """How far predictions move when the column holds other rows' values, from 0 to 1."""
    found = gather(model, test, names=["shift"], feedback=rule, num_donors=20)
    return float(found.on_marked["shift"].mean())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
