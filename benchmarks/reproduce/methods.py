"""Every method on the same few reviewed rows: which of them owns the result?

    python benchmarks/reproduce/methods.py [--seeds 2] [--epochs 12] [--methods right_reasons,counterexamples]

3,500 digits with grey squares in all four corners that tell the digit, LeNet, the masks of 20 reviewed rows. Each
method's weight is chosen by swap score, as `corrigible correct` and `corrigible compare` do. The test rows have squares
of random grey. Writes benchmarks/results/reproduce_methods.json.
"""

from dataclasses import replace

from digits import Digits, fresh

from cases import Case, Plan, options, over_seeds
from corrigible.penalties import FEEDBACK_LOSSES, FEEDBACK_PENALTIES
from corrigible.protocols.schedule import Schedule

PLAN = Plan(
    fool=Schedule(epochs=12),
    correct=Schedule(epochs=12),
    methods=(*FEEDBACK_PENALTIES, *FEEDBACK_LOSSES, "right_reasons+counterexamples"),
)
NUM_ROWS = 20


def methods(seed: int, quick: bool) -> Case:
    digits = Digits(seed)
    return Case(
        train=digits.train_rows,
        validation=digits.validation_rows,
        test=digits.test_rows,
        clean_train=digits.clean_train,
        clean_test=digits.clean_test,
        feedback={f"{NUM_ROWS} rows": digits.reviewed(NUM_ROWS)},
        test_feedback=digits.test_feedback[:500],
        network=lambda: fresh(seed),
    )


if __name__ == "__main__":
    parser = options(__doc__, PLAN)
    parser.add_argument("--epochs", type=int, default=PLAN.correct.epochs, help="of each correction")
    asked = parser.parse_args()
    over_seeds("methods", methods, replace(PLAN, correct=Schedule(epochs=asked.epochs)), asked)
