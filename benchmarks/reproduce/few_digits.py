"""3,500 digits with a square in one random corner and Ross's network: small enough to correct dozens of times."""

from digits import Digits, fresh_mlp

import cases  # First: it lets the benchmarks' own modules be found.
from corrigible.protocols.schedule import Schedule

PLAN = cases.Plan(fool=Schedule(epochs=12), correct=Schedule(epochs=24))


def few_digits(seed: int) -> Digits:
    return Digits(seed, one_per_row=True)


def case(digits: Digits, feedback: cases.Said | cases.Callable, **others: object) -> cases.Case:
    """With what was said about its training rows."""
    return cases.Case(
        train=digits.train_rows,
        validation=digits.validation_rows,
        test=digits.test_rows,
        clean_train=digits.clean_train,
        clean_test=digits.clean_test,
        feedback=feedback,
        test_feedback=digits.test_feedback[:500],
        network=lambda: fresh_mlp(digits.seed),
        **others,
    )
