"""Does one weight mean the same at other batch sizes and with other marked areas?

    python benchmarks/scale.py [--seeds 5]

Row scope, 100 reviewed rows, weight 10 throughout: batches of 32 to 512 with equal numbers of steps, and squares in 1,
2 and 4 corners. Accuracy under random squares.
Writes benchmarks/results/scale.json.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from digits import CORRECT, TRAIN, Digits, corrected, fresh, measured, trained
from runner import Row, measure, options, units_of

WEIGHT = 10.0
BATCH_SIZES = (32, 64, 128, 256, 512)
CORNERS = {1: (3,), 2: (0, 3), 4: (0, 1, 2, 3)}
ROWS = 100


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    works = {"batches": with_batches} | {f"squares {number}": partial(with_squares, number) for number in CORNERS}
    measure(units_of(works, asked), asked, settings={"weight": WEIGHT, "reviewed_rows": ROWS})


def with_batches(seed: int) -> Iterator[Row]:
    digits = Digits(seed)
    fooled = trained(fresh(seed), digits.train_rows, TRAIN, seed)
    for batch_size in BATCH_SIZES:
        schedule = replace(CORRECT, batch_size=batch_size, epochs=CORRECT.epochs * batch_size // (2 * 64))
        model, _ = corrected(fooled, digits, digits.reviewed(ROWS), weight=WEIGHT, schedule=schedule)
        yield Row({"case": f"batch {batch_size}"}, measured(model, digits, metrics=("accuracy",)))


def with_squares(number: int, seed: int) -> Iterator[Row]:
    digits = Digits(seed, corners=CORNERS[number])
    fooled = trained(fresh(seed), digits.train_rows, TRAIN, seed)
    model, _ = corrected(fooled, digits, digits.reviewed(ROWS), weight=WEIGHT)
    yield Row({"case": f"squares {number}"}, measured(model, digits, metrics=("accuracy",)))


if __name__ == "__main__":
    main()
